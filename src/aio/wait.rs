//! Waiting for requests: `aio_suspend`, and `lio_listio` with `LIO_WAIT`.
//!
//! A wait is a machine of steps, as in `channel/wait.rs`: between two steps the caller sleeps, with
//! nothing locked, and can be cancelled there. Nothing is allocated: a signal handler may wait.

use super::inline;
use super::queue::{self, Queue, Role};
use super::request::Notification;
use super::state::State;
use crate::error::{Errno, Result};
use crate::sys::annotate;
use crate::sys::cell::thread_mark;
use crate::sys::control::Control;
use crate::sys::wait::{Sleep, Terms};

pub enum Step {
    Done,
    Block(Sleep),
}

#[derive(Clone, Copy)]
enum Interest<'a> {
    /// One of these has ended.
    Any(&'a [Option<Control>]),
    /// All of a list have.
    Group(u32),
}

pub struct Waiting<'a> {
    queue: Option<&'static Queue>,
    interest: Interest<'a>,
    terms: Terms,
    role: Role,
}

impl<'a> Waiting<'a> {
    /// Until one of these is not under way; nothing is if there is none.
    pub fn for_any(blocks: &'a [Option<Control>], terms: Terms) -> Self {
        inline::asked();
        Self { queue: None, interest: Interest::Any(blocks), terms, role: Role::Awake }
    }

    pub(super) fn for_group(queue: &'static Queue, group: u32) -> Self {
        let terms = Terms::default();
        Self { queue: Some(queue), interest: Interest::Group(group), terms, role: Role::Awake }
    }

    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Looks, and says what to do next. `slept` is how the last sleep ended, if there was one.
    pub fn step(&mut self, slept: Option<Result<()>>) -> Result<Step> {
        let Some(queue) = self.queue.or_else(queue::present) else { return Ok(Step::Done) };
        if let Interest::Any(blocks) = self.interest
            && may_look_from_outside(self.role)
            && is_over_at_sight(blocks)
        {
            if std::mem::replace(&mut self.role, Role::Awake) == Role::Follower {
                queue.leave();
            }
            return Ok(Step::Done);
        }
        self.queue = Some(queue);
        let mut state = queue.enter();
        queue.get_up(&mut state, std::mem::replace(&mut self.role, Role::Awake));
        let is_on_top = state.sleepers.leader == thread_mark();
        if is_on_top || state.sleepers.leader == 0 {
            state.reap();
        }
        let answer = if self.is_over(&state) {
            self.forget(&mut state);
            Ok(Step::Done)
        } else if let Some(Err(errno)) = slept {
            Err(errno)
        } else if self.terms.expired() {
            Err(Errno::EAGAIN)
        } else {
            let (role, sleep) =
                if is_on_top { queue.lie_on_top(&mut state) } else { queue.lie_down(&mut state) };
            self.role = role;
            Ok(Step::Block(sleep))
        };
        if is_on_top && self.role != Role::Nested {
            state.backend.kick();
        }
        queue.settle(&mut state);
        answer
    }

    fn is_over(&self, state: &State) -> bool {
        match self.interest {
            Interest::Any(blocks) => {
                is_over_at_sight(blocks)
                    // One that is not in the books will never end: no request, or the parent's.
                    || blocks.iter().flatten().any(|block| state.find(*block).is_none())
            }
            Interest::Group(group) => state.groups[group as usize].left == 0,
        }
    }

    /// The list is not waited for any more.
    fn forget(&mut self, state: &mut State) {
        let Interest::Group(index) = self.interest else { return };
        self.interest = Interest::Any(&[]);
        let group = &mut state.groups[index as usize];
        group.is_awaited = false;
        group.notification = Notification::None;
        if group.left == 0 {
            state.groups.remove(index as usize);
        }
    }
}

/// Whether one in that role need not enter the books to leave. Helgrind sees only there that what
/// the thread which tells of an end does to the block is over.
fn may_look_from_outside(role: Role) -> bool {
    role == Role::Awake || role == Role::Follower && !annotate::is_under_valgrind()
}

fn is_over_at_sight(blocks: &[Option<Control>]) -> bool {
    let mut blocks = blocks.iter().flatten().peekable();
    blocks.peek().is_none() || blocks.any(|block| !block.is_in_progress())
}

impl Drop for Waiting<'_> {
    /// A wait that was broken off: somebody else may have to lead.
    fn drop(&mut self) {
        let is_group = matches!(self.interest, Interest::Group(_));
        if let Some(queue) = self.queue
            && (is_group || self.role != Role::Awake)
        {
            let mut state = queue.enter();
            queue.get_up(&mut state, std::mem::replace(&mut self.role, Role::Awake));
            self.forget(&mut state);
            queue.settle(&mut state);
        }
    }
}
