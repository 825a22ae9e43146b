use maud::{Markup, html};

/// A table that scrolls by itself where the page is narrow, also with the keyboard. A head that
/// begins with `#` stands over numbers.
pub(super) fn wide(caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead {
                    tr {
                        @for head in heads {
                            @if let Some(head) = head.strip_prefix('#') {
                                th.number scope="col" { (head) }
                            } @else {
                                th scope="col" { (head) }
                            }
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

/// A command that does it again.
pub(super) fn command(text: &str) -> Markup {
    html! { code.command { (text) } }
}
