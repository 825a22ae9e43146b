//! Reads a page strictly: every element is closed in order, every attribute is quoted, `<` stands
//! nowhere else. A browser would forgive what this does not.

/// A page, taken apart.
pub(super) struct Document {
    elements: Vec<String>,
    pub(super) attributes: Vec<(String, String)>,
    /// All text between the tags, unescaped, without the style sheet.
    pub(super) text: String,
}

const VOID: [&str; 4] = ["meta", "br", "hr", "wbr"];

impl Document {
    pub(super) fn parse(page: &str) -> Self {
        let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
        let mut document = Self {
            elements: Vec::new(),
            attributes: Vec::new(),
            text: String::new(),
        };
        let mut open: Vec<String> = Vec::new();
        while let Some((text, tag)) = rest.split_once('<') {
            assert!(!text.contains('>'), "a bare > in {text:?}");
            if open.last().is_some_and(|element| element != "style") {
                document.text.push_str(&unescape(text));
                document.text.push(' ');
            }
            if let Some(tag) = tag.strip_prefix('/') {
                let (name, after) = tag.split_once('>').expect("an end of a closing tag");
                assert_eq!(open.pop().as_deref(), Some(name), "closed out of order");
                rest = after;
                continue;
            }
            rest = document.element(tag, &mut open);
        }
        assert!(open.is_empty(), "never closed: {open:?}");
        assert_eq!(rest, "", "text after the end");
        document
    }

    fn element<'a>(&mut self, tag: &'a str, open: &mut Vec<String>) -> &'a str {
        let end = tag.find([' ', '>']).expect("an end of a name");
        let (name, mut rest) = tag.split_at(end);
        assert!(
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()),
            "no element: {name:?}"
        );
        while let Some(attribute) = rest.strip_prefix(' ') {
            let (key, value) = attribute.split_once("=\"").expect("a quoted value");
            assert!(
                key.chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || "-:".contains(letter)),
                "no attribute: {key:?}"
            );
            let (value, after) = value.split_once('"').expect("an end of a value");
            assert!(!value.contains('<'), "a bare < in {value:?}");
            self.attributes.push((key.into(), unescape(value)));
            rest = after;
        }
        self.elements.push(name.into());
        if !VOID.contains(&name) {
            open.push(name.into());
        }
        let rest = rest.strip_prefix('>').expect("an end of a tag");
        // The style sheet is the one text that is not escaped: it ends with its closing tag.
        if name == "style" {
            let end = rest.find("</style>").expect("an end of the style sheet");
            return rest.split_at(end).1;
        }
        rest
    }

    pub(super) fn count(&self, element: &str) -> usize {
        self.elements.iter().filter(|name| *name == element).count()
    }

    pub(super) fn values(&self, attribute: &str) -> Vec<&str> {
        let attributes = self.attributes.iter();
        attributes
            .filter(|(name, _)| name == attribute)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// The four escapes that the template writes; another one, or a bare `&`, is a fault.
fn unescape(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').expect("an end of an escape");
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "amp" => '&',
            other => panic!("an unknown escape: {other:?}"),
        });
        plain.push_str(after);
    }
    plain
}
