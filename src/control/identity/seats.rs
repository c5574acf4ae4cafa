//! From groups to seats, by the `[[roles]]` of the configuration. What no row names gives nothing.

use super::settings::RoleRow;
use crate::model::Seat;

/// The seats that these groups give.
pub(super) fn seats(groups: &[String], roles: &[RoleRow]) -> Vec<Seat> {
    let given = roles.iter().filter(|row| groups.contains(&row.group));
    given
        .map(|row| Seat {
            role: row.role,
            tenants: row.tenants.clone(),
            apps: row.apps.clone(),
            group: row.group.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reach, Role};

    #[test]
    fn unknown_groups_give_nothing_and_each_row_its_own() {
        let row = |group: &str, role| RoleRow {
            group: group.to_owned(),
            role,
            tenants: Reach::Only(vec!["acme".to_owned()]),
            apps: Reach::All,
        };
        let roles = [
            row("support", Role::Operator),
            row("support", Role::Approver),
            row("soc", Role::Security),
        ];
        let of = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|it| (*it).to_owned()).collect();
            let seats = seats(&groups, &roles);
            seats.iter().map(|seat| seat.role).collect::<Vec<_>>()
        };
        assert_eq!(of(&["Support", "", "admins", "*"]), []);
        assert_eq!(of(&["support"]), [Role::Operator, Role::Approver]);
        assert_eq!(of(&["soc", "x"]), [Role::Security]);
    }
}
