//! Several requests with one call: `lio_listio`.

use super::inline::{self, Outcome};
use super::request::{End, Notification, Request, Rest};
use super::state::Group;
use super::wait::Waiting;
use super::{helper, queue};
use crate::error::{Errno, Result};

/// How the end of a list is told.
pub struct Listing {
    pub notification: Notification,
    /// How many requests there are, with those that are refused.
    pub requests: usize,
    /// The caller waits until they have ended; if not, they are told by one notification.
    pub is_awaited: bool,
}

/// What has become of a list.
pub struct List {
    /// Where `LIO_WAIT` waits for its requests.
    pub waiting: Option<Waiting<'static>>,
    /// Why one of them was not accepted.
    pub refusal: Option<Errno>,
}

/// Begins requests; all that cannot be done at once goes out together.
pub fn list(requests: &mut [Request], listing: Listing) -> List {
    let mut begun = Begun { group: None, listing, refusal: None };
    let mut later: Vec<(usize, Rest)> = Vec::new();
    for place in 0..requests.len() {
        let request = &requests[place];
        request.control.begin();
        match inline::attempt(request) {
            Outcome::Done(outcome) => {
                request.control.finish(outcome);
                request.notification.clone().send(&request.end(outcome));
            }
            // Those that follow have to find it in its lane.
            Outcome::Rest(rest) if rest.route.lane().is_some() => {
                begun.accept(requests, &[(place, rest)]);
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
    listing: Listing,
    refusal: Option<Errno>,
}

impl Begun {
    fn accept(&mut self, requests: &mut [Request], which: &[(usize, Rest)]) {
        let ready = self.prepare();
        // Not one by one: what is ready goes out with one call.
        let mut expected = Vec::with_capacity(which.len());
        for &(place, rest) in which {
            let request = &mut requests[place];
            match ready.and_then(|(queue, _)| request.notification.expect(queue.fd)) {
                Ok(()) => expected.push((place, rest)),
                Err(errno) => self.refuse(request, errno),
            }
        }
        let Ok((queue, group)) = ready else { return };
        let mut refused = Vec::new();
        let mut state = queue.enter();
        for (place, rest) in expected {
            let request = &mut requests[place];
            request.group = Some(group);
            if let Err(errno) = queue.take_on(&mut state, request, rest) {
                refused.push((place, errno));
            }
        }
        queue.begun(state);
        for (place, errno) in refused {
            requests[place].notification.expect_no_more();
            self.refuse(&requests[place], errno);
        }
    }

    fn refuse(&mut self, request: &Request, errno: Errno) {
        self.refusal = Some(errno);
        request.control.finish(Err(errno));
        request.notification.forgo();
    }

    /// The books, and the list's place in them.
    fn prepare(&mut self) -> Result<(&'static queue::Queue, u32)> {
        let queue = queue::queue()?;
        if let Some(group) = self.group {
            return Ok((queue, group));
        }
        let Listing { notification, requests, is_awaited } = &self.listing;
        notification.expect(queue.fd)?;
        let mut state = queue.enter();
        if notification.needs_thread() {
            state.helper.needed += 1;
        }
        let group = state.add_group(Group {
            left: 1,
            notification: notification.clone(),
            requests: *requests,
            is_awaited: *is_awaited,
        });
        self.group = Some(group);
        Ok((queue, group))
    }

    /// All have been begun.
    fn end(self) -> List {
        let mut waiting = None;
        let Listing { notification, requests, is_awaited } = self.listing;
        match (self.group, queue::present()) {
            (Some(group), Some(queue)) => {
                let mut state = queue.enter();
                state.leave_group(group);
                queue.settle(&mut state);
                helper::call_due(queue, state);
                waiting = is_awaited.then(|| Waiting::for_group(queue, group));
            }
            _ => notification.send(&End::List { requests }),
        }
        List { waiting, refusal: self.refusal }
    }
}
