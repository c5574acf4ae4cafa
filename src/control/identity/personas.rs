//! Demo personas: choosing whom to be. Only where the portal listens on loopback, which the configuration's check holds to.

use super::answers::{not_signed_in, page};
use super::cookies;
use super::flow::{Flow, Fresh};
use super::front::{Human, Identity};
use super::gate::from_our_page;
use super::logins::Proven;
use super::pages::Personas;
use super::person::Identified;
use super::refused::Refused;
use super::returns::ReturnPath;
use super::settings::{HumanSettings, Persona};
use crate::control::gate::Peer;
use crate::control::refusal::Refusal;
use crate::model::{Method, Proof};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};

/// The form's fields.
#[derive(serde::Deserialize)]
pub(super) struct PersonaForm {
    state: String,
    id: String,
}

impl Identity {
    /// The page with all of them.
    pub(super) async fn choose(
        &self,
        to: &ReturnPath,
        fresh: Option<Fresh>,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let made = self.made();
        let HumanSettings::Demo(personas) = &made.settings.human else {
            return Err(Refusal::not_found());
        };
        let browser = cookies::read(headers, cookies::FLOW);
        let again = fresh.is_some();
        let begun = self.begin(browser, to, fresh).await?;
        let mut response = page(
            StatusCode::OK,
            &Personas {
                all: personas,
                state: &begun.state.reveal(),
                fresh: again,
                code: None,
            },
        );
        let cookie = cookies::set(cookies::FLOW, &begun.browser, made.settings.flow_max);
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// The choice.
    pub(super) async fn chosen(
        &self,
        form: PersonaForm,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Response {
        let address = peer.address.ip();
        let made = self.made();
        if !matches!(made.human, Human::Demo) {
            return not_signed_in(&Refusal::not_found(), &ReturnPath::home(), false);
        }
        let taken = async {
            from_our_page(headers, &made.settings.portal)?;
            let browser = cookies::read(headers, cookies::FLOW);
            let (flow, _) = self.take(Some(&form.state), browser).await?;
            let proven = self.as_persona(&form.id, &flow)?;
            Ok::<_, Refused>((flow, proven))
        };
        match taken.await {
            Ok((flow, proven)) => self.enter(proven, &flow.to(), headers, address).await,
            Err(why) => {
                let refusal = self.refuse(why, "persona", address, None).await;
                not_signed_in(&refusal, &ReturnPath::home(), false)
            }
        }
    }

    fn as_persona(&self, id: &str, flow: &Flow) -> Result<Proven, Refused> {
        let made = self.made();
        let HumanSettings::Demo(personas) = &made.settings.human else {
            return Err(Refused::Persona);
        };
        let persona = personas.iter().find(|it| it.id == id);
        let persona = persona.ok_or(Refused::Persona)?;
        let who = self.being(persona);
        match &flow.fresh {
            Some(fresh) if fresh.account.is_empty() => Ok(()),
            Some(fresh) if fresh.account != who.account => Err(Refused::OtherAccount),
            _ => Ok(()),
        }?;
        let stepped = flow.fresh.as_ref().is_some_and(|it| !it.account.is_empty());
        Ok(Proven {
            who,
            sid: String::new(),
            code: if stepped { "login.step-up" } else { "login.in" },
        })
    }

    /// Choosing them again is all the proof that there is of a persona: it counts as fresh and as strong as is asked for.
    fn being(&self, persona: &Persona) -> Identified {
        let settings = self.control.settings.load();
        Identified {
            person: persona.person.clone(),
            account: format!("demo|{}", persona.id),
            name: Some(persona.name.clone()),
            groups: persona.groups.clone(),
            proof: Proof {
                method: Method::Demo,
                at: self.now(),
                acr: settings.step_up.acr_values.first().cloned(),
                amr: Vec::new(),
            },
        }
    }
}
