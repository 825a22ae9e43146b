use super::*;

#[test]
fn an_import_names_a_chain_a_level_and_maybe_a_kind_and_a_round() {
    let import = typed("block:NetXdQprcVkpaWU=12/3").unwrap();
    assert_eq!(import.chain, ChainId::MAINNET);
    assert_eq!(import.kind, Some(Kind::Block));
    assert_eq!(
        (import.level.get(), import.round.map(Round::get)),
        (12, Some(3))
    );
    let import = typed("NetXdQprcVkpaWU=12").unwrap();
    assert_eq!((import.kind, import.round), (None, None));
    for wrong in [
        "NetXdQprcVkpaWU",
        "NetXdQprcVkpaWU=",
        "NetXdQprcVkpaWU=2147483648",
        "x=1",
        "/var/lib/signatory",
    ] {
        assert!(wrong.parse::<Imported>().is_err(), "{wrong}");
    }
}

#[test]
fn an_import_may_name_a_signer_and_where_its_files_are() {
    let Ok(Imported::Source(source)) = "octez:/home/a=b/.octez-signer".parse() else {
        panic!("a source");
    };
    assert_eq!(source.layout, Layout::Octez);
    assert_eq!(source.path, Path::new("/home/a=b/.octez-signer"));
}

/// tacoinfra's configuration says where the marks are, and the export has them.
#[test]
fn keys_json_wants_the_rows_of_its_table_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        raft_store::disk::replace(&path, &[text.as_bytes()]).unwrap();
        path
    };
    let config = format!(r#"{{"chain_ratchet": "dynamodb", "keys": {{"{key}": {{}}}}}}"#);
    let row = format!(
        r#"[{{"sig_type": "Baking_NetXdQprcVkpaWU_{key}", "lastblock": 7, "lastround": 0}}]"#
    );
    let source = |layout, path| Source { layout, path };
    let config = source(Layout::Tacoinfra, put("keys.json", &config));
    let rows = source(Layout::DynamoDb, put("marks.json", &row));
    let hash = key.parse().unwrap();
    let said = read(&[&config], hash, SystemTime::UNIX_EPOCH).unwrap_err();
    assert!(said.to_string().contains("aws dynamodb scan"), "{said}");
    let both = read(&[&config, &rows], hash, SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(both.sources.len(), 1);
    // That it is new is no fault, and that its age is unknown is told.
    assert!(
        both.lines
            .iter()
            .any(|line| line.contains("its age says nothing"))
    );
}
