//! Break-glass: exact criteria, an alert that somebody outside took before anything opens, and a review that bars the
//! next use until it is certified.

use super::activate::Activated;
use super::at::At;
use crate::control::desk::{Control, EmergencySettings};
use crate::control::refusal::{Kind, Problem, Refusal};
use crate::model::{
    AccessRequest, Alert, AlertId, AlertState, Binding, Caller, Grant, Happened, Review, ReviewId,
    ReviewState, SessionId, Timestamp,
};
use crate::store::control::{Query, Tx};
use std::time::Duration;

use super::ask::Ask;

/// How long after the last moment of raising an alert it is sent again.
const AFTER_RAISING: Duration = Duration::from_secs(5);

impl Control {
    /// Asks in an emergency. The criteria are checked here and once more where the glass is broken.
    pub async fn ask_in_emergency(
        &self,
        caller: &Caller,
        ask: &Ask,
    ) -> Result<AccessRequest, Refusal> {
        let settings = self.settings.load_full();
        let about = Happened {
            app: Some(ask.app.clone()),
            tenant: Some(ask.tenant.clone()),
            subject: Some(ask.subject.clone()),
            ..Happened::default()
        };
        let person = caller.person.clone();
        let (emergency, incident) = (
            settings.emergency.clone(),
            ask.incident.clone().unwrap_or_default(),
        );
        let code = ask.reason_code.trim().to_owned();
        let checked = self
            .run("checking the criteria of an emergency", move |tx| {
                criteria(&emergency, &incident, &code)?;
                barred(tx, &person, &emergency)
            })
            .await;
        if let Err(refusal) = checked {
            self.refused(caller, "break-glass", about, &refusal).await;
            return Err(refusal);
        }
        self.ask(caller, ask).await
    }

    /// Why this person cannot break glass now, whatever the emergency; `None`: nothing bars them.
    pub async fn barred_from_glass(&self, caller: &Caller) -> Result<Option<Refusal>, Refusal> {
        let (settings, person) = (self.settings.load_full(), caller.person.clone());
        self.run("looking for uncertified uses", move |tx| {
            Ok(barred(tx, &person, &settings.emergency).err())
        })
        .await
        .map(|refusal| refusal.filter(|it| it.kind == Kind::Forbidden))
    }

    /// Raises the alert, and opens only if a channel took it (or the configuration says otherwise, on record).
    pub(super) async fn break_the_glass(
        &self,
        caller: &Caller,
        at: At,
        request: AccessRequest,
        binding: Binding,
    ) -> Result<Activated, Refusal> {
        let (settings, now) = (self.settings.load_full(), self.now());
        let wait = settings.emergency.alert_timeout;
        let mut alert = alert_of(&request, now);
        // The delivery task takes it up only when this attempt is surely over, or died with the process.
        alert.next_at = now.plus(wait).plus(AFTER_RAISING);
        let (emergency, person) = (settings.emergency.clone(), caller.person.clone());
        let (mut stored, about) = (alert.clone(), request.clone());
        alert = self
            .run("storing an alert", move |tx| {
                criteria(&emergency, incident(&about), &about.reason_code)?;
                barred(tx, &person, &emergency)?;
                tx.insert(&mut stored)?;
                let happened = Happened::new("alert.raised", "locum")
                    .about(&about)
                    .severe(4);
                tx.note(
                    happened.with("alert", stored.id).with("kind", &stored.kind),
                    now,
                )?;
                Ok(stored)
            })
            .await?;
        let taken = match tokio::time::timeout(wait, self.alarm.raise(&alert)).await {
            Ok(taken) => taken,
            Err(_) => Err(format!("no channel answered within {} s", wait.as_secs())),
        };
        let open_anyway = settings.emergency.open_unalerted;
        self.note_taken(&alert, &taken, &request).await?;
        if let Err(why) = &taken {
            tracing::error!(%why, "no alert channel took a break-glass alert");
            if !open_anyway {
                return Err(Refusal::new(
                    Kind::Unavailable,
                    "break-glass.unalerted",
                    "The alert reached nobody, so nothing was opened. Tell the security team by other means, and try again.",
                ));
            }
        }
        let (within, approvers_of) = (settings.emergency.review_within, request.clone());
        let (emergency, person) = (settings.emergency.clone(), caller.person.clone());
        let unalerted = taken.is_err();
        self.open(caller, at, binding, move |tx, grant, session| {
            barred(tx, &person, &emergency)?;
            let mut review = review_of(grant, session, &approvers_of, now, now.plus(within));
            tx.insert(&mut review)?;
            // The request as it is by now: with the grant and the session that came of it.
            let opened = AccessRequest {
                grant: Some(grant.id),
                session: Some(session),
                ..approvers_of
            };
            let happened = Happened::new("break-glass.opened", &grant.operator.id)
                .about(&opened)
                .severe(4)
                .with("incident", &review.incident)
                .with("review", review.id)
                .with("unalerted", unalerted);
            tx.note(happened, now)?;
            Ok(())
        })
        .await
    }

    /// Writes down that an alert was taken, or that nobody took it. What each channel said is the alarm's to note.
    async fn note_taken(
        &self,
        alert: &Alert,
        taken: &Result<Vec<String>, String>,
        request: &AccessRequest,
    ) -> Result<(), Refusal> {
        let (now, about, taken) = (self.now(), request.clone(), taken.clone());
        let id = alert.id.to_string();
        self.run("storing an alert's fate", move |tx| {
            let channels = match taken {
                Ok(channels) => channels,
                Err(why) => {
                    let happened = Happened::new("alert.failed", "locum").about(&about);
                    tx.note(happened.severe(5).with("alert", id).with("why", why), now)?;
                    return Ok(());
                }
            };
            // Other channels go on meanwhile and write to the same row.
            let Some(mut alert) = tx.find::<Alert>(&id)? else {
                return Ok(());
            };
            if alert.state == AlertState::Waiting {
                alert.state = AlertState::Taken;
            }
            for channel in channels {
                if !alert.taken_by.contains(&channel) {
                    alert.taken_by.push(channel);
                }
            }
            tx.update(&mut alert)?;
            Ok(())
        })
        .await
    }
}

/// Exact criteria, and inactive by default.
fn criteria(settings: &EmergencySettings, incident: &str, code: &str) -> Result<(), Refusal> {
    if !settings.enabled {
        return Err(Refusal::forbidden(
            "break-glass.disabled",
            "Break-glass is not set up here.",
        ));
    }
    let mut problems = Vec::new();
    let mut say = |field: &str, message: String| {
        problems.push(Problem {
            field: field.to_owned(),
            message,
        });
    };
    let prefixes = &settings.incident_prefixes;
    if incident.trim().is_empty() {
        say("incident", "name the incident".to_owned());
    } else if !prefixes.is_empty()
        && !prefixes
            .iter()
            .any(|prefix| incident.trim().starts_with(prefix))
    {
        say(
            "incident",
            format!("begins with one of {}", prefixes.join(", ")),
        );
    }
    if !settings.reason_codes.is_empty()
        && !settings.reason_codes.iter().any(|it| it == code.trim())
    {
        say(
            "reason_code",
            format!(
                "is no emergency: choose one of {}",
                settings.reason_codes.join(", ")
            ),
        );
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(problems))
    }
}

/// Nobody breaks glass twice without a certified review between; nor a team beyond its number.
fn barred(tx: &Tx<'_>, person: &str, settings: &EmergencySettings) -> Result<(), Refusal> {
    let own = Query {
        states: vec!["due", "rejected"],
        person: Some(person.to_owned()),
        ..Query::default()
    };
    if tx.count::<Review>(&own)? > 0 {
        return Err(Refusal::forbidden(
            "break-glass.barred",
            "Your last use of break-glass has not been certified: that comes first.",
        ));
    }
    let team = Query {
        states: vec!["due"],
        ..Query::default()
    };
    if tx.count::<Review>(&team)? >= settings.max_unreviewed {
        return Err(Refusal::forbidden(
            "break-glass.team-barred",
            "Too many uses of break-glass wait for their review: those come first.",
        ));
    }
    Ok(())
}

fn incident(request: &AccessRequest) -> &str {
    request
        .emergency
        .as_ref()
        .map_or("", |it| it.incident.as_str())
}

fn alert_of(request: &AccessRequest, now: Timestamp) -> Alert {
    let who = request
        .operator
        .name
        .as_deref()
        .unwrap_or(&request.operator.id);
    let tenant = request.tenant.name.as_deref().unwrap_or(&request.tenant.id);
    Alert {
        id: AlertId::fresh(),
        kind: "break-glass.activated".to_owned(),
        severity: "critical".to_owned(),
        summary: format!(
            "{who} breaks the glass in {tenant} ({}) as {}: {}",
            request.app,
            request.subject.id,
            incident(request)
        ),
        app: request.app.clone(),
        tenant: request.tenant.id.clone(),
        operator: request.operator.id.clone(),
        details: vec![
            ("incident".to_owned(), incident(request).to_owned()),
            ("reason_code".to_owned(), request.reason_code.clone()),
            ("reason".to_owned(), request.reason.clone()),
            ("subject".to_owned(), request.subject.id.clone()),
            ("request".to_owned(), request.id.to_string()),
            (
                "minutes".to_owned(),
                (request.duration.as_secs() / 60).to_string(),
            ),
        ],
        at: now,
        state: AlertState::Waiting,
        taken_by: Vec::new(),
        attempts: 0,
        next_at: now,
        version: 0,
    }
}

fn review_of(
    grant: &Grant,
    session: SessionId,
    request: &AccessRequest,
    now: Timestamp,
    due_at: Timestamp,
) -> Review {
    Review {
        id: ReviewId::fresh(),
        grant: grant.id,
        session,
        app: grant.app.clone(),
        tenant: grant.tenant.id.clone(),
        subject: grant.subject.id.clone(),
        incident: incident(request).to_owned(),
        reason: grant.reason.clone(),
        operator: grant.operator.id.clone(),
        approvers: grant.approvals.clone(),
        opened_at: now,
        due_at,
        escalated_at: None,
        state: ReviewState::Due,
        reviewer: None,
        reviewed_at: None,
        findings: None,
        follow_ups: Vec::new(),
        version: 0,
    }
}
