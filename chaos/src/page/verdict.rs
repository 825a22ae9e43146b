use maud::{Markup, html};

use crate::results::{Grade, Results, Summary, Verdict};

/// The verdict on everything, first on the page.
pub(super) fn header(summary: &Summary, results: &Results) -> Markup {
    let class = match summary.grade {
        Grade::Held => "held",
        Grade::Partly | Grade::NotShown => "unshown",
        Grade::Broken => "broken",
    };
    html! {
        p.kicker { "Quorate under faults" }
        h1 class=(class) { (summary.headline) }
        @for sentence in &summary.sentences { p { (sentence) } }
        p.origin {
            @if let Some(origin) = results.origins.last() {
                "Quorate " (origin.versions.quorate) ", "
                @if let Some(commit) = &origin.commit { "commit " (commit) ", " }
                (origin.date())
            } @else {
                "These results do not say where they come from."
            }
        }
    }
}

/// The verdict on one run, as a word with a mark that needs no colour.
pub(super) fn badge(verdict: &Verdict) -> Markup {
    let (class, mark, word) = match verdict {
        Verdict::Held => ("held", "✓", "held"),
        Verdict::SeenAsItMust(_) => ("held", "✓", "seen, as it must be"),
        Verdict::Broken => ("broken", "✗", "broken"),
        Verdict::Failed(_) => ("unshown", "?", "not shown"),
        Verdict::Skipped(_) => ("skipped", "–", "skipped"),
    };
    html! { span class={ "badge " (class) } { span aria-hidden="true" { (mark) " " } (word) } }
}

/// Why, where a verdict has a reason of its own.
pub(super) fn reason(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::SeenAsItMust(why) | Verdict::Failed(why) | Verdict::Skipped(why) => Some(why),
        Verdict::Held | Verdict::Broken => None,
    }
}
