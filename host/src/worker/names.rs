//! How the output takes the names of variables: which it cannot hold, and which it takes for the
//! same.
//!
//! If its collation takes two names for the same (`TEMP-03` and `temp-03`), a verdict on one would
//! take the place of the other's. So only one of such names is judged: the one that has a model, of
//! several the first by its bytes; if none has, the one under which the output holds verdicts, else
//! the one met first. The others' readings are counted under a reason of their own. Models and
//! output decide before the order of arrival does, so that a worker, its other shares and a
//! backfill decide alike.
//!
//! It lives for a session: the output is asked about each name once, and about all again when
//! another set judges.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::nfc::nfc;
use crate::row_reason::Name;
use crate::store::{OutputLimits, StoreError};

/// What is known of the names met so far.
#[derive(Default)]
pub(super) struct Names {
    met: HashMap<Arc<str>, NameStatus>,
    /// Those that the output can hold, in the order in which they were met.
    order: Vec<Arc<str>>,
    /// The set whose models were used to decide.
    set: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NameStatus {
    Own,
    Foreign,
    /// This one is judged in its place.
    Equal(Arc<str>),
}

impl Names {
    /// Asks the output about those of the names that are new. `models`: the variables for which
    /// this set has a model.
    pub(super) async fn learn<'n>(
        &mut self,
        output: &mut dyn OutputLimits,
        names: impl Iterator<Item = &'n Arc<str>>,
        set: &str,
        models: impl Iterator<Item = &'n Arc<str>>,
    ) -> Result<(), StoreError> {
        let mut asked = HashSet::new();
        let new: Vec<Arc<str>> =
            names.filter(|name| !self.met.contains_key(*name) && asked.insert(*name)).cloned().collect();
        if new.is_empty() && self.set.as_deref() == Some(set) {
            return Ok(());
        }
        let foreign: HashSet<Arc<str>> = match new.is_empty() {
            true => HashSet::new(),
            false => output.foreign_names(&new).await?.into_iter().collect(),
        };
        let fit: Vec<Arc<str>> = new.iter().filter(|name| !foreign.contains(*name)).cloned().collect();
        let judged = |name: &&Arc<str>| self.met.get(*name) == Some(&NameStatus::Own);
        let mut order = self.order.clone();
        order.extend(fit.iter().cloned());
        let mut ranked = with_model(models, &order);
        ranked.extend(self.order.iter().filter(judged).cloned());
        let modelled: HashSet<Arc<str>> = ranked.iter().cloned().collect();
        let unknown: Vec<_> = fit.iter().filter(|name| !modelled.contains(*name)).cloned().collect();
        if !unknown.is_empty() {
            let held = output.other_spellings(&unknown).await?;
            ranked.extend(held.into_iter().map(|(_, spelling)| spelling));
        }
        ranked.extend(order.iter().cloned());
        let mut listed = HashSet::new();
        ranked.retain(|name| listed.insert(Arc::clone(name)));
        let equal: HashMap<_, _> = output.equal_names(&ranked).await?.into_iter().collect();

        self.met.extend(foreign.into_iter().map(|name| (name, NameStatus::Foreign)));
        for name in &order {
            let standing =
                equal.get(name).map_or(NameStatus::Own, |first| NameStatus::Equal(Arc::clone(first)));
            self.met.insert(Arc::clone(name), standing);
        }
        self.order = order;
        self.set = Some(set.to_owned());
        Ok(())
    }

    /// How the output takes this name.
    pub(super) fn of(&self, name: &str) -> Name {
        match self.met.get(name) {
            Some(NameStatus::Foreign) => Name::Foreign,
            Some(NameStatus::Equal(_)) => Name::Equal,
            Some(NameStatus::Own) | None => Name::Own,
        }
    }

    /// The name that is judged in this one's place.
    pub(super) fn judged_for(&self, name: &str) -> Option<Arc<str>> {
        match self.met.get(name) {
            Some(NameStatus::Equal(judged)) => Some(Arc::clone(judged)),
            _ => None,
        }
    }
}

/// The names with a model, by their bytes. A model is for a name in any Unicode form: if the form
/// of the model was not met and another was, the model judges that one.
fn with_model<'n>(models: impl Iterator<Item = &'n Arc<str>>, met: &[Arc<str>]) -> Vec<Arc<str>> {
    let mut other_forms: HashMap<String, Vec<&Arc<str>>> = HashMap::new();
    for name in met {
        if let Cow::Owned(composed) = nfc(name) {
            other_forms.entry(composed).or_default().push(name);
        }
    }
    let met: HashSet<&Arc<str>> = if other_forms.is_empty() { HashSet::new() } else { met.iter().collect() };
    let mut ranked = Vec::new();
    for model in models {
        match other_forms.get(&**model) {
            Some(forms) if !met.contains(model) => ranked.extend(forms.iter().copied().cloned()),
            _ => ranked.push(Arc::clone(model)),
        }
    }
    ranked.sort_unstable();
    ranked
}
