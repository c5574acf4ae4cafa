//! The one list of what one can search by, for those who have a member of each name: the command line and the API.

/// Each field with the member of that name.
macro_rules! each_field {
    ($conditions:expr) => {
        [
            ($crate::audit::index::Field::Operator, $conditions.operator),
            ($crate::audit::index::Field::Subject, $conditions.subject),
            ($crate::audit::index::Field::Tenant, $conditions.tenant),
            ($crate::audit::index::Field::App, $conditions.app),
            ($crate::audit::index::Field::Ticket, $conditions.ticket),
            ($crate::audit::index::Field::Session, $conditions.session),
            ($crate::audit::index::Field::Grant, $conditions.grant),
            ($crate::audit::index::Field::Request, $conditions.request),
            ($crate::audit::index::Field::Exchange, $conditions.exchange),
            ($crate::audit::index::Field::Action, $conditions.action),
            ($crate::audit::index::Field::Resource, $conditions.resource),
            ($crate::audit::index::Field::Decision, $conditions.decision),
            ($crate::audit::index::Field::Outcome, $conditions.outcome),
            ($crate::audit::index::Field::Rule, $conditions.rule),
            ($crate::audit::index::Field::Event, $conditions.event),
            ($crate::audit::index::Field::Method, $conditions.method),
            ($crate::audit::index::Field::Status, $conditions.status),
        ]
    };
}

pub(crate) use each_field;

#[cfg(test)]
mod tests {
    use crate::audit::index::Field;

    #[test]
    fn it_has_every_field() {
        struct Names {
            operator: &'static str,
            subject: &'static str,
            tenant: &'static str,
            app: &'static str,
            ticket: &'static str,
            session: &'static str,
            grant: &'static str,
            request: &'static str,
            exchange: &'static str,
            action: &'static str,
            resource: &'static str,
            decision: &'static str,
            outcome: &'static str,
            rule: &'static str,
            event: &'static str,
            method: &'static str,
            status: &'static str,
        }
        let names = Names {
            operator: "operator",
            subject: "subject",
            tenant: "tenant",
            app: "app",
            ticket: "ticket",
            session: "session",
            grant: "grant",
            request: "request",
            exchange: "exchange",
            action: "action",
            resource: "resource",
            decision: "decision",
            outcome: "outcome",
            rule: "rule",
            event: "event",
            method: "method",
            status: "status",
        };
        let all: Vec<_> = each_field!(names).into_iter().collect();
        let expected: Vec<_> = Field::ALL.map(|field| (field, field.name())).into();
        assert_eq!(all, expected);
    }
}
