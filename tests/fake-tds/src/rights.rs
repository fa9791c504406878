//! Who may log in, and who may write what. Reading is not checked: every login may read.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::server::{PASSWORD, USER, lock, plain};

#[derive(Default)]
pub(crate) struct Rights {
    /// The logins with limited rights, with their passwords.
    logins: Mutex<BTreeMap<String, String>>,
    /// Login, right, object; all as [`plain`] text.
    granted: Mutex<Vec<(String, String, String)>>,
}

impl Rights {
    pub(crate) fn create(&self, login: &str, password: &str) {
        lock(&self.logins).insert(login.to_lowercase(), password.to_owned());
    }

    pub(crate) fn remove(&self, login: &str) {
        lock(&self.logins).remove(&login.to_lowercase());
    }

    pub(crate) fn may_enter(&self, login: &str, password: &str) -> bool {
        let known = lock(&self.logins).get(&login.to_lowercase()).is_some_and(|known| known == password);
        known || login.eq_ignore_ascii_case(USER) && password == PASSWORD
    }

    pub(crate) fn grant(&self, login: &str, right: &str, object: &str) {
        lock(&self.granted).push((plain(login), plain(right), plain(object)));
    }

    pub(crate) fn may(&self, login: &str, right: &str, object: &str) -> bool {
        let asked = (plain(login), plain(right), plain(object));
        login.eq_ignore_ascii_case(USER) || lock(&self.granted).contains(&asked)
    }
}
