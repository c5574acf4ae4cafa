//! What was done, told on the page that an action returns to. The address carries a word of this list only, so that
//! nobody can make a link that puts other words on our pages.

const DONE: [(&str, &str); 21] = [
    ("asked", "Your request was sent. You see here who answers."),
    (
        "granted",
        "Policy allows this without an approval. Activate it when you are ready.",
    ),
    ("approved", "Approved. Your vote is on record."),
    ("denied", "Denied. The operator sees your reason."),
    (
        "change-approved",
        "Your vote is on record. With the last one the change comes into force.",
    ),
    ("change-denied", "Denied. What is in force stays."),
    (
        "consent-mailed",
        "The customer’s contact was asked by mail. Only they have the link.",
    ),
    ("cancelled", "The request was cancelled."),
    ("ended", "The session was ended."),
    ("ended-all", "Every session of that key was ended."),
    ("none-ended", "No session of that key was open."),
    ("locked", "Locked. What was open under it was ended."),
    ("unlocked", "The lock was lifted."),
    (
        "certified",
        "Certified. The operator may break glass again.",
    ),
    (
        "rejected",
        "Rejected. The operator stays barred until somebody else certifies.",
    ),
    ("registered", "The workload is registered."),
    (
        "disabled",
        "The workload was disabled, and what it had open was ended.",
    ),
    ("consented", "You agreed."),
    (
        "declined",
        "You did not agree. Nobody gets in by this request.",
    ),
    ("stopped", "You ended the session."),
    ("signed-out", "You are signed out."),
];

/// The sentence for a word, if it is one of ours.
pub(super) fn told(word: &str) -> Option<&'static str> {
    let known = DONE.iter().find(|(known, _)| *known == word);
    known.map(|(_, told)| *told)
}
