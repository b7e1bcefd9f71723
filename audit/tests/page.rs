//! The report as a page: whole, closed to the outside, and of the same counts as the JSON.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;

use chancery_audit::render::{render_html, render_json};
use chancery_audit::{Moment, Options, Report, View, verify};
use chancery_governance::command::{DraftQuery, ProposeQuery};
use chancery_governance::query::Definition;
use chancery_governance::subject::Subject;
use serde_json::Value;
use story::{Person, Right, Story};

const HOSTILE: &str = "<script>alert(\"1\")</script><img src=x onerror=1>\u{202e}";

fn report(story: &Story) -> Report {
    let view = View { at: Some(Moment::Position(30)), ..View::default() };
    let key = Some(story::service_key().public().id());
    verify(&story.bundle()[..], &Options { service_key: key, view, ..Options::default() })
}

/// The story, and a query whose name and text would like to be markup.
fn hostile() -> Story {
    let mut story = Story::whole();
    let definition = story.collaboration().queries[&story::delays()].definition.clone();
    let mut segments = definition.segments.clone();
    segments[0].sql = segments[0].sql.replace("GROUP", "WHERE p.model <> '</pre><b>' GROUP");
    let definition = Definition { name: HOSTILE.into(), segments, ..definition };
    let subject = Subject::Query(story::id(0x66));
    story.send(Right::Key(Person::Fabrikam), subject, DraftQuery { definition });
    story.send(
        Right::Key(Person::Fabrikam),
        subject,
        ProposeQuery { votes_until_ms: None, runs_until_ms: None },
    );
    story
}

/// The names of the elements in order, each checked to be closed by its own end.
fn elements(html: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    // The style has no markup in it; `>` is a selector there.
    let (before, rest) = html.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    for piece in [before, after].iter().flat_map(|part| part.split('<').skip(1)) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("unclosed: <{piece}"));
        assert!(!text.contains('>'), "a bare > in {piece:?}");
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "at {piece:?}");
        } else if !matches!(name, "!DOCTYPE" | "meta" | "br") {
            open.push(name.to_owned());
            all.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

fn rows(html: &str, class: &str) -> usize {
    html.matches(&format!("<tr class=\"{class}\">")).count()
}

fn len(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

#[test]
fn the_page_is_whole_and_says_what_the_json_says() {
    let report = report(&hostile());
    let html = render_html(&report);
    let names = elements(&html);
    for table in html.split("<table").skip(1) {
        let opening = table.split_once("</caption>").unwrap().0;
        assert!(opening.contains("<caption>") && !opening.contains("<tr"), "{opening}");
    }
    assert!(!names.iter().any(|name| matches!(name.as_str(), "script" | "img" | "b" | "iframe")));
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));

    let json: Value = serde_json::from_str(&render_json(&report)).unwrap();
    let log = &json["log"];
    assert_eq!(rows(&html, "member"), len(&log["members"]));
    assert_eq!(rows(&html, "query"), len(&log["queries"]));
    let votes = log["queries"].as_array().unwrap().iter().map(|query| len(&query["votes"]));
    assert_eq!(rows(&html, "vote"), votes.sum::<usize>());
    assert_eq!(html.matches("<article id=\"run-").count(), len(&log["runs"]));
    let proposals = log["proposals"].as_object().unwrap();
    assert_eq!(html.matches("<article id=\"proposal-").count(), proposals.len());
    assert_eq!(rows(&html, "release"), len(&log["releases"]));
    assert_eq!(rows(&html, "code"), len(&log["code"]));
    assert_eq!(rows(&html, "missing"), len(&log["not_checked"]));
    assert_eq!(rows(&html, "entry"), len(&log["timeline"]["entries"]));
    assert_eq!(rows(&html, "check"), len(&json["checks"]));
    assert_eq!(rows(&html, "standing-query"), len(&log["at"]["queries"]));
    assert_eq!(rows(&html, "witnessed"), len(&log["service_word"]["witnessed"]));
    let files = log["runs"].as_array().unwrap().iter();
    let files = files.filter(|run| !run["result"].is_null());
    let files = files.map(|run| len(&run["result"]["manifest"]["files"])).sum::<usize>();
    assert_eq!(rows(&html, "file"), files);

    for digest in proposals.keys() {
        assert!(html.contains(digest.as_str()), "{digest}");
    }
    for run in log["runs"].as_array().unwrap() {
        for part in [&run["id"], &run["query_digest"], &run["job_spec"]] {
            assert!(part.as_str().is_none_or(|part| html.contains(part)), "{part}");
        }
    }
    for key in ["root", "origin"] {
        assert!(html.contains(log[key].as_str().unwrap()));
    }
}

#[test]
fn names_and_texts_from_the_log_stay_text() {
    let html = render_html(&report(&hostile()));
    assert!(html.contains(
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&lt;img src=x onerror=1&gt;\u{fffd}"
    ));
    assert!(html.contains("&lt;&gt; &#39;&lt;/pre&gt;&lt;b&gt;&#39; GROUP"));
}

#[test]
fn the_page_reaches_nothing_outside() {
    let html = render_html(&report(&Story::whole()));
    // Issuers are URLs, and text; what would be followed is an attribute or a style.
    let tags: String = html.split('<').filter_map(|piece| piece.split_once('>')).fold(
        String::new(),
        |mut tags, (tag, _)| {
            tags.push_str(tag);
            tags.push('\n');
            tags
        },
    );
    for needle in ["http:", "https:", "src=", "url(", "@import", "style=", " on"] {
        assert!(!tags.contains(needle), "{needle}");
    }
    assert!(tags.lines().filter(|tag| tag.contains("href=")).all(|tag| tag.contains("href=\"#")));
    let (_, style) = html.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains('<'));
    let hash = chancery_ledger::digest::Digest::of(style.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash.as_bytes());
    assert!(html.contains(&format!(
        "content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action \
         'none'\""
    )));
    for id in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(html.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn a_failure_is_a_page_with_its_check_and_without_contents() {
    let mut bundle = Story::founded().bundle();
    let at = bundle.len() / 2;
    bundle[at] ^= 1;
    let failed = render_html(&verify(&bundle[..], &Options::default()));
    elements(&failed);
    for needed in ["TAMPERED", "<code>seal</code>", "verdict failed", "position"] {
        assert!(failed.contains(needed), "{needed}");
    }
    for absent in ["Flight delays", "Litware", "id=\"runs\"", "VERIFIED"] {
        assert!(!failed.contains(absent), "{absent}");
    }
    for (bundle, word) in [(&bundle[..at], "INCOMPLETE"), (b"nonsense", "UNREADABLE")] {
        let html = render_html(&verify(bundle, &Options::default()));
        elements(&html);
        assert!(html.contains(word), "{word}");
    }
}

#[test]
fn what_no_hardware_stands_behind_is_said_at_the_top_and_on_each_printed_page() {
    let html = render_html(&report(&Story::whole()));
    let top = html.find("INSECURE-VIRTUAL</strong>").unwrap();
    assert!(top < html.find("<nav>").unwrap());
    assert!(html.contains("@top-right { content: \"VERIFIED \\00b7  INSECURE-VIRTUAL\""));
    let founded = render_html(&report(&Story::founded()));
    assert!(founded.contains("No run was requested."));
}
