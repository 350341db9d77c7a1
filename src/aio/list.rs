//! Several requests with one call: `lio_listio`.

use super::inline::{self, Outcome};
use super::queue;
use super::request::{Notification, Request, Rest};
use super::state::Group;
use super::wait::Waiting;
use crate::error::{Errno, Result};

/// What has become of a list.
pub struct List {
    /// Where `LIO_WAIT` waits for its requests.
    pub waiting: Option<Waiting<'static>>,
    /// Why one of them was not accepted.
    pub refusal: Option<Errno>,
}

/// Begins requests; all that cannot be done at once goes out together. `awaited`: the caller waits
/// until they have ended; if not, they are told by one notification.
pub fn list(requests: &mut [Request], notification: Notification, awaited: bool) -> List {
    let mut begun = Begun { group: None, notification, awaited, refusal: None };
    let mut later: Vec<(usize, Rest)> = Vec::new();
    for (place, request) in requests.iter_mut().enumerate() {
        request.control.begin();
        match inline::attempt(request) {
            Outcome::Done(outcome) => {
                request.control.finish(outcome);
                request.notification.send();
            }
            // Those that follow have to find it in its lane.
            Outcome::Rest(rest) if rest.route.lane().is_some() => {
                begun.accept(&mut [*request], &[(0, rest)]);
            }
            Outcome::Rest(rest) => later.push((place, rest)),
        }
    }
    if !later.is_empty() {
        begun.accept(requests, &later);
    }
    begun.end()
}

struct Begun {
    group: Option<u32>,
    notification: Notification,
    awaited: bool,
    refusal: Option<Errno>,
}

impl Begun {
    fn accept(&mut self, requests: &mut [Request], which: &[(usize, Rest)]) {
        if let Err(errno) = self.try_accept(requests, which) {
            self.refusal = Some(errno);
            for (place, _) in which {
                requests[*place].control.finish(Err(errno));
            }
        }
    }

    fn try_accept(&mut self, requests: &mut [Request], which: &[(usize, Rest)]) -> Result<()> {
        let queue = queue::queue()?;
        let mut state = queue.enter();
        let group = *self.group.get_or_insert_with(|| {
            let notification = if self.awaited { Notification::None } else { self.notification };
            if notification.is_due_unasked() {
                state.helper.needed += 1;
            }
            let group = Group { left: 1, notification, is_awaited: self.awaited };
            state.groups.insert(group) as u32
        });
        for (place, rest) in which {
            let request = &mut requests[*place];
            request.group = Some(group);
            if let Err(errno) = queue.take_on(&mut state, request, *rest) {
                self.refusal = Some(errno);
                request.control.finish(Err(errno));
            }
        }
        queue.settle(&mut state);
        Ok(())
    }

    /// All have been begun.
    fn end(self) -> List {
        let mut waiting = None;
        match (self.group, queue::present()) {
            (Some(group), Some(queue)) => {
                let mut state = queue.enter();
                state.leave_group(group);
                queue.settle(&mut state);
                waiting = self.awaited.then(|| Waiting::for_group(queue, group));
            }
            _ if !self.awaited => self.notification.send(),
            _ => {}
        }
        List { waiting, refusal: self.refusal }
    }
}
