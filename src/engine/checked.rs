//! An engine that watches another one keep the contract of [`Engine`]; debug builds, and so all
//! tests, put it around every engine.
//!
//! Checked: every accepted request gets exactly one [`Sent`], in order for each socket, with its
//! own address and length; there is no notice for a socket that is not attached, or for what is
//! not watched.
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::{
    Ask, Engine, Key, Notice, PollSet, Readiness, Received, Request, Sent, Socket, Taker, Watch,
};
use crate::error::Result;
use crate::sys::own::RingName;
use crate::sys::wait::Sleep;

pub struct Checked {
    inner: Box<dyn Engine>,
    /// Address and length of what each attached socket has been asked to send.
    accepted: HashMap<Key, VecDeque<(usize, usize)>>,
    watched: HashSet<Key>,
}

impl Checked {
    pub fn new(inner: Box<dyn Engine>) -> Self {
        Self { inner, accepted: HashMap::new(), watched: HashSet::new() }
    }

    /// Looks at what a call has added to the notices.
    fn check(&mut self, added: &[Notice]) {
        for notice in added {
            match notice {
                Notice::Receivable(key) => {
                    assert!(self.accepted.contains_key(key), "news of {key}, which is detached");
                }
                Notice::Watched(key, _) => {
                    assert!(self.watched.contains(key), "news of {key}, which is not watched");
                }
                Notice::Sent(key, Sent { address, length, .. }) => {
                    let expected = self.accepted.get_mut(key).and_then(VecDeque::pop_front);
                    assert_eq!(expected, Some((*address, *length)), "the end of a send of {key}");
                }
            }
        }
    }
}

impl Engine for Checked {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn attach(
        &mut self,
        key: Key,
        socket: &Arc<Socket>,
        edge: bool,
        poll: &mut PollSet,
    ) -> Result<()> {
        self.inner.attach(key, socket, edge, poll)?;
        let old = self.accepted.insert(key, VecDeque::new());
        assert!(old.is_none(), "{key} is attached twice");
        Ok(())
    }

    fn detach(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let before = notices.len();
        self.inner.detach(key, poll, notices);
        self.check(&notices[before..]);
        let left = self.accepted.remove(&key).map_or(0, |accepted| accepted.len());
        assert_eq!(left, 0, "sends of {key} that were never told");
    }

    fn set_edge(&mut self, key: Key, edge: bool, poll: &mut PollSet) -> Result<()> {
        self.inner.set_edge(key, edge, poll)
    }

    fn send(&mut self, key: Key, request: Request) -> Result<()> {
        let told = (request.address, request.length);
        self.inner.send(key, request)?;
        self.accepted.entry(key).or_default().push_back(told);
        Ok(())
    }

    fn receive(&mut self, key: Key, ask: &Ask, poll: &mut PollSet) -> Result<Received> {
        self.inner.receive(key, ask, poll)
    }

    fn receive_arrived(&mut self, key: Key, ask: &Ask) -> Option<(Received, bool)> {
        let (received, is_left) = self.inner.receive_arrived(key, ask)?;
        assert_eq!(self.inner.waiting(key).is_some(), is_left, "what is left of {key}");
        Some((received, is_left))
    }

    fn waiting(&self, key: Key) -> Readiness {
        self.inner.waiting(key)
    }

    fn is_polled(&self, key: Key) -> bool {
        self.inner.is_polled(key)
    }

    fn wait_alone(&mut self, key: Key, poll: &mut PollSet) -> Result<bool> {
        self.inner.wait_alone(key, poll)
    }

    fn ready(
        &mut self,
        key: Key,
        events: u32,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Option<Readiness> {
        let before = notices.len();
        let answer = self.inner.ready(key, events, poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn answer_calls(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let before = notices.len();
        let answer = self.inner.answer_calls(poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn watch(&mut self, key: Key, watch: Watch) -> Result<()> {
        self.inner.watch(key, watch)?;
        self.watched.insert(key);
        Ok(())
    }

    fn unwatch(&mut self, key: Key, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<bool> {
        self.watched.remove(&key);
        let before = notices.len();
        let answer = self.inner.unwatch(key, poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn take_watched(&mut self, news: &mut Vec<(Key, u64)>) {
        self.inner.take_watched(news);
        for (key, _) in news {
            assert!(self.watched.contains(key), "news of {key}, which is not watched");
        }
    }

    fn news(&mut self, place: usize, notices: &mut Vec<Notice>) {
        let before = notices.len();
        self.inner.news(place, notices);
        self.check(&notices[before..]);
    }

    fn tell(&mut self, notices: &mut Vec<Notice>) {
        let before = notices.len();
        self.inner.tell(notices);
        self.check(&notices[before..]);
    }

    fn turn(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let before = notices.len();
        let answer = self.inner.turn(poll, notices);
        self.check(&notices[before..]);
        answer
    }

    /// What the taker is told it checks itself.
    fn turn_for(
        &mut self,
        taker: &mut dyn Taker,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let before = notices.len();
        let answer = self.inner.turn_for(taker, poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn turn_in_passing(
        &mut self,
        taker: &mut dyn Taker,
        poll: &mut PollSet,
        notices: &mut Vec<Notice>,
    ) -> Result<bool> {
        let before = notices.len();
        let answer = self.inner.turn_in_passing(taker, poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn is_idle(&mut self) -> bool {
        self.inner.is_idle()
    }

    fn is_settled(&mut self, stays: bool) -> bool {
        self.inner.is_settled(stays)
    }

    fn look(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let before = notices.len();
        let answer = self.inner.look(poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn replenish(&mut self, poll: &mut PollSet) {
        self.inner.replenish(poll);
    }

    fn arm(&mut self) -> Result<()> {
        self.inner.arm()
    }

    fn push_on(&mut self, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let before = notices.len();
        let answer = self.inner.push_on(poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn hold(&mut self, wanted: bool) -> bool {
        self.inner.hold(wanted)
    }

    fn leave(&mut self, is_readable: bool) {
        self.inner.leave(is_readable);
    }

    fn stay(&mut self) -> bool {
        self.inner.stay()
    }

    fn give_up_poll_set(&mut self, poll: &PollSet) -> Result<()> {
        self.inner.give_up_poll_set(poll)
    }

    fn rest(&mut self, give_up: bool, poll: &mut PollSet, notices: &mut Vec<Notice>) -> Result<()> {
        let before = notices.len();
        let answer = self.inner.rest(give_up, poll, notices);
        self.check(&notices[before..]);
        answer
    }

    fn is_in_poll_set(&mut self) -> bool {
        self.inner.is_in_poll_set()
    }

    fn is_quiet(&mut self) -> bool {
        self.inner.is_quiet()
    }

    fn idle_ring(&self) -> Option<RingName> {
        self.inner.idle_ring()
    }

    fn hand_in(&mut self, poll: &mut PollSet) -> Result<()> {
        self.inner.hand_in(poll)
    }

    fn sleep(&mut self, poll: &mut PollSet) -> Result<Sleep> {
        self.inner.sleep(poll)
    }

    fn reclaim(&mut self, area: u64, poll: &mut PollSet, notices: &mut Vec<Notice>) {
        let before = notices.len();
        self.inner.reclaim(area, poll, notices);
        self.check(&notices[before..]);
    }

    fn retire(&mut self, area: u64) {
        self.inner.retire(area);
    }
}
