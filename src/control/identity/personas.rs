//! Demo personas: choosing whom to be. Only where the portal listens on loopback, which the configuration's check holds to.

use super::answers::{not_signed_in, page};
use super::cookies;
use super::flow::{Flow, Fresh};
use super::front::{Human, Identity};
use super::gate::from_our_page;
use super::logins::Proven;
use super::pages::{Personas, SignedOut};
use super::person::Identified;
use super::refused::Refused;
use super::returns::ReturnPath;
use super::settings::{HumanSettings, Persona};
use crate::control::gate::Peer;
use crate::control::refusal::Refusal;
use crate::model::{Method, Proof};
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;

/// The form's fields.
#[derive(serde::Deserialize)]
pub(super) struct PersonaForm {
    state: String,
    id: String,
    /// What the command line that is to be signed in shows.
    code: Option<String>,
}

impl Identity {
    /// The page with all of them.
    pub(super) async fn choose(
        &self,
        to: &ReturnPath,
        fresh: Option<Fresh>,
        code: Option<&str>,
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
                code,
            },
        );
        let cookie = cookies::set(cookies::FLOW, &begun.browser, made.settings.flow_max);
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// The page that a command line sends its person to.
    pub(super) async fn device_page(
        &self,
        code: &str,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Response {
        let (home, address) = (ReturnPath::home(), peer.address.ip());
        let shown = async {
            self.may_try(address)?;
            self.tried(address);
            self.choose(&home, None, Some(code), headers).await
        };
        match shown.await {
            Ok(response) => response,
            Err(refusal) => not_signed_in(&refusal, &home, false),
        }
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
            Ok((flow, proven)) => match form.code.as_deref() {
                None => self.enter(proven, &flow.to(), headers, address).await,
                Some(code) => self.for_command_line(code, proven.who, address).await,
            },
            Err(why) => {
                let refusal = self.refuse(why, "persona", address, None).await;
                not_signed_in(&refusal, &ReturnPath::home(), false)
            }
        }
    }

    /// For a command line instead of this browser.
    async fn for_command_line(&self, code: &str, who: Identified, address: IpAddr) -> Response {
        match self.answer_demo_device(code, who).await {
            Ok(()) => page(
                StatusCode::OK,
                &SignedOut {
                    head: "The command line is signed in",
                    detail: "Go on there. You can close this page.",
                    provider: None,
                },
            ),
            Err(why) => {
                let refusal = self.refuse(why, "device", address, None).await;
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
