//! Members, their keys and marks, and what rests on the service's word.

use chancery_governance::member::Ability;

use super::log::{left_out, lines};
use super::markup::{Body, Markup};
use super::open;
use crate::render::agreed;
use crate::render::words::{Names, places, right, who};
use crate::report::{By, Contents, Listed, Mark, Member, MemberKey};

pub fn members(body: &mut Body, contents: &Contents) {
    open(body, "members");
    let rows = contents.members.iter().map(|member| {
        let abilities: Vec<_> = member.abilities.iter().map(Ability::as_str).collect();
        let abilities = Markup::text(&abilities.join(", "));
        vec![
            Markup::name(&member.organisation),
            Markup::name(&who(&member.identity)),
            match &member.departed {
                None => abilities,
                Some(departed) => {
                    let gone = format!("no member any more: {}", agreed::departed(departed));
                    abilities.over(&Markup::text(&gone).within("span", "void"))
                }
            },
        ]
    });
    body.table("Members", "member", &["member", "identity", "can"], rows);
    left_out(body, &contents.members, "member", "");
    let keys = contents.members.iter().flat_map(|member| {
        let keys = member.keys.iter().map(|key| key_row(member, key));
        let none = (member.keys.total() == 0).then(|| {
            let none = "none: all that it did is service-witnessed";
            let dash = || Markup::text("\u{2013}");
            vec![Markup::name(&member.organisation), Markup::text(none), dash(), dash()]
        });
        keys.chain(none)
    });
    let headings = ["member", "key", "from position", "vouched for by"];
    body.table("Their keys", "key", &headings, keys);
    for member in contents.members.iter().filter(|member| member.keys.left_out() > 0) {
        left_out(body, &member.keys, "key", " of a member");
    }
    body.end_section();
}

/// Terms, the changes of them and of the membership, and what was approved in advance.
pub fn agreed(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "agreed");
    let terms = Markup::name(&agreed::terms(&contents.terms, names));
    body.facts("At the end of the log", &[("terms", terms)]);
    if contents.changes.total() == 0 {
        body.paragraph("", &Markup::text("Nobody asked for a change of terms or membership."));
    } else {
        let rows = contents.changes.iter().map(|one| {
            let votes = one.votes.iter().map(|vote| {
                let answer = if vote.approves { "yes" } else { "no" };
                let (who, right) = (names.member(vote.member), right(&vote.by));
                Markup::name(&format!("{answer} by {who} at {}, {right}", vote.position))
            });
            let asked = format!("{} at {}", names.member(one.proposer), one.proposed.position);
            vec![
                Markup::name(&agreed::change(&one.what, names)).over(&Markup::code(&one.digest)),
                Markup::name(&asked),
                Markup::text(one.state),
                lines(votes),
            ]
        });
        let headings = ["change, digest", "asked for by", "state", "votes"];
        body.table("Changes of terms and membership", "change", &headings, rows);
        left_out(body, &contents.changes, "change", "");
    }
    if contents.rules.total() > 0 {
        let rows = contents.rules.iter().map(|one| {
            let removed =
                one.removed_at.map_or(String::new(), |at| format!(", taken back at {at}"));
            let set = format!("at {}, {}{removed}", one.set_at, right(&one.by));
            vec![
                Markup::name(&one.rule.name),
                Markup::name(&names.member(one.owner)),
                Markup::name(&agreed::rule(&one.rule, names)),
                Markup::text(&set),
                Markup::text(&places(&one.votes)),
            ]
        });
        let headings = ["rule", "member", "approves", "set", "votes cast"];
        body.table("Approved in advance", "rule", &headings, rows);
        left_out(body, &contents.rules, "rule", "");
    }
    body.end_section();
}

fn key_row(member: &Member, key: &MemberKey) -> Vec<Markup> {
    let until = key.revoked_at.map_or(String::new(), |at| format!(", revoked at {at}"));
    let vouched = match &key.by {
        _ if key.invited => "other members: the invitation or a vote names it".to_owned(),
        By::ServiceWitnessed => {
            "the service\u{2019}s word only: it came with an identity token".to_owned()
        }
        by => right(by),
    };
    let algorithm = Markup::text(&format!("{} ", key.key.algorithm().name()));
    vec![
        Markup::name(&member.organisation),
        algorithm.then(&Markup::code(&key.key.id())),
        Markup::text(&format!("{}{until}", key.registered_at)),
        Markup::text(&vouched),
    ]
}

pub fn marks(body: &mut Body, contents: &Contents, names: &Names<'_>) {
    open(body, "consent");
    mark_table(body, "Marks against use at the end of the log", &contents.marks, names);
    body.end_section();
}

pub fn mark_table(body: &mut Body, caption: &str, marks: &Listed<Mark>, names: &Names<'_>) {
    if marks.total() == 0 {
        return body.paragraph("", &Markup::text("No consent is withdrawn."));
    }
    let rows = marks.iter().map(|mark| {
        vec![
            Markup::name(&names.subject(mark.subject)),
            Markup::text(mark.kind.as_str()),
            lines(mark.members.iter().map(|member| Markup::name(&names.member(*member)))),
        ]
    });
    body.table(caption, "mark", &["of what", "kind of use", "withdrawn by"], rows);
    left_out(body, marks, "mark", "");
}

pub fn service_word(body: &mut Body, contents: &Contents) {
    let word = &contents.service_word;
    open(body, "word");
    body.paragraph(
        "",
        &Markup::text(
            "No member\u{2019}s signature stands behind these. The service says that it saw a \
             valid identity token with the command; the log holds the token\u{2019}s digest.",
        ),
    );
    let rows = word.witnessed.iter().map(|group| {
        vec![
            Markup::code(&group.action),
            Markup::name(&who(&group.identity)),
            Markup::text(&places(&group.places)),
        ]
    });
    let headings = ["action", "by, as the token said", "entries"];
    body.table("Service-witnessed commands", "witnessed", &headings, rows);
    if word.witnessed_left_out > 0 {
        let more = word.witnessed_left_out;
        let text = format!("And {more} entries more, of other actions or identities.");
        body.paragraph("quiet", &Markup::text(&text));
    }
    body.facts(
        "Beside these",
        &[
            ("the times of all entries", Markup::text("the service\u{2019}s clock")),
            ("an invited e-mail was the right one", Markup::text(&places(&word.emails))),
        ],
    );
    body.end_section();
}
