//! The few pages around signing in. They work without scripts and hold nothing that a stranger could have put there.

use super::settings::Persona;
use askama::Template;

/// Why signing in did not work, and what to do.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not signed in · Locum</title>
<link rel="icon" href="/favicon.ico" type="image/svg+xml">
<link rel="stylesheet" href="/login/style.css">
</head>
<body>
<main>
<p class="brand"><img src="/favicon.ico" alt="" width="28" height="28"> Locum</p>
<h1>{{ head }}</h1>
<p>{{ detail }}</p>
<p><a class="button" href="{{ again }}">{{ action }}</a></p>
<p class="small">{{ reason }}</p>
</main>
</body>
</html>
"#
)]
pub(super) struct NotSignedIn<'p> {
    pub(super) head: &'p str,
    pub(super) detail: &'p str,
    pub(super) again: &'p str,
    pub(super) action: &'p str,
    pub(super) reason: &'p str,
}

/// Who to be, in a demonstration.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Locum</title>
<link rel="icon" href="/favicon.ico" type="image/svg+xml">
<link rel="stylesheet" href="/login/style.css">
</head>
<body>
<main>
<p class="brand"><img src="/favicon.ico" alt="" width="28" height="28"> Locum</p>
<h1>{% if fresh %}Sign in again{% else %}Sign in{% endif %}</h1>
<p>This is a demonstration: choose whom to be. Outside of it, people sign in with your identity provider.</p>
<form method="post" action="/login/persona">
<input type="hidden" name="state" value="{{ state }}">
{% if let Some(code) = code %}<p><label for="code">The code that your command line shows. Go on only if you began this there yourself.</label>
<input id="code" name="code" value="{{ code }}" autocomplete="off" required></p>
{% endif %}<ul class="choices">
{% for persona in all %}
<li><button type="submit" name="id" value="{{ persona.id }}"><span class="name">{{ persona.name }}</span> <span class="small">{{ persona.id }}{% if !persona.groups.is_empty() %} · {{ persona.groups.join(", ") }}{% endif %}</span></button></li>
{% endfor %}
</ul>
</form>
</main>
</body>
</html>
"#
)]
pub(super) struct Personas<'p> {
    pub(super) all: &'p [Persona],
    pub(super) state: &'p str,
    pub(super) fresh: bool,
    pub(super) code: Option<&'p str>,
}

/// Signed out here; perhaps not yet elsewhere.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ head }} · Locum</title>
{% if let Some(url) = provider %}<meta http-equiv="refresh" content="0;url={{ url }}">
{% endif %}<link rel="icon" href="/favicon.ico" type="image/svg+xml">
<link rel="stylesheet" href="/login/style.css">
</head>
<body>
<main>
<p class="brand"><img src="/favicon.ico" alt="" width="28" height="28"> Locum</p>
<h1>{{ head }}</h1>
<p>{{ detail }}</p>
{% if let Some(url) = provider %}<p><a class="button" href="{{ url }}">Sign out of the identity provider too</a></p>
{% else %}<p><a class="button" href="/login">Sign in</a></p>
{% endif %}</main>
</body>
</html>
"#
)]
pub(super) struct SignedOut<'p> {
    pub(super) head: &'p str,
    pub(super) detail: &'p str,
    pub(super) provider: Option<&'p str>,
}

/// Their style.
pub(super) const STYLE: &str = include_str!("sign_in.css");
