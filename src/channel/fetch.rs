//! Fetching: from the queue, and from the poll set, whose sources are asked what they have.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::event::{self, Event};
use super::queue::Item;
use super::source::card::{self, Card};
use super::source::{
    self, Counter, Kind as SourceKind, Sources, Timer, arrival_event, signal_event,
};
use super::state::State;
use crate::engine::{Found, Key, News, Taker, Told, is_source};
use crate::error::{Errno, Result};
use crate::sys::poll;

/// Members of the poll set that are no sources.
const NO_SOURCES: usize = 2;
/// Connections that a listening socket gives in one fetch.
const CONNECTIONS_MAX: usize = 16;

/// Fetches in a row that do not ask the poll set, where interfaces bring enough.
const SPARED_MAX: u32 = 4;

/// Where fetched events go.
pub(super) struct Room<'a> {
    events: &'a mut [Event],
    count: usize,
    /// Those that an earlier look had put aside stand first.
    stashed: usize,
    /// Events of this fetch that came before the poll set was asked.
    told: usize,
    has_timers: bool,
    /// The number of events that had been told through cards before this fetch, once it is known.
    first: Option<u64>,
}

impl<'a> Room<'a> {
    pub(super) fn new(events: &'a mut [Event]) -> Self {
        Self { events, count: 0, stashed: 0, told: 0, has_timers: false, first: None }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn left(&self) -> usize {
        self.events.len() - self.count
    }

    fn push(&mut self, event: Event) {
        self.has_timers |= event.kind == event::TIMER;
        self.events[self.count] = event;
        self.count += 1;
    }

    /// What a source has told in this fetch already is not told again, but nothing new is lost.
    #[inline]
    fn put(&mut self, event: Event) {
        // Only sockets have something in the queue and in the poll set at once.
        let before = if event.kind == event::RECV { self.told } else { self.stashed };
        if before == 0 {
            self.push(event);
        } else {
            self.put_unless_told(event, before);
        }
    }

    #[inline(never)]
    fn put_unless_told(&mut self, event: Event, before: usize) {
        match self.events[..before].iter_mut().find(|earlier| earlier.repeats(&event)) {
            Some(earlier) => earlier.merge(&event),
            None => self.push(event),
        }
    }

    /// The same for a signal, which may have been told a moment ago.
    fn put_signal(&mut self, event: Event, is_standard: bool) {
        let same = |earlier: &&mut Event| {
            (earlier.source, earlier.kind, earlier.fd) == (event.source, event.kind, event.fd)
        };
        match self.events[..self.count].iter_mut().find(same).filter(|_| is_standard) {
            Some(earlier) => earlier.result += event.result,
            None => self.push(event),
        }
    }
}

/// Tells what the engine brings at once.
pub(super) struct Teller<'a, 'b> {
    pub(super) sources: &'a mut Sources,
    pub(super) room: &'a mut Room<'b>,
}

impl Taker for Teller<'_, '_> {
    fn take(&mut self, news: &mut News<'_>) -> bool {
        let Self { sources, room } = self;
        let (cards, told) = sources.cards();
        let first = *room.first.get_or_insert(*told);
        loop {
            let count = room.count;
            room.count += news.fill(&mut room.events[count..], |name, value, place, number| {
                let Some(card) = card::find(cards, name) else { return false };
                if card.told > first {
                    return false;
                }
                card.told = first + (count + number + 1) as u64;
                // Written in its place: by way of the stack it would take three times as long.
                match value.take() {
                    Told::Ready(ready) => *place = card.ready(ready),
                    Told::Count(count) => *place = card.counted(count),
                }
                true
            });
            let goes_on = news.next(|name, value| match card::find(cards, name) {
                Some(card) if card.told > first => {
                    merge(room.events, (card.told - first - 1) as usize, card, value.take())
                }
                _ => false,
            });
            if !goes_on {
                break;
            }
        }
        *told = first + room.count as u64;
        room.left() > 0
    }
}

/// What a source has told in this fetch already is not told again, but nothing new is lost.
#[cold]
#[inline(never)]
fn merge(events: &mut [Event], place: usize, card: &Card, told: Told) -> bool {
    let Some(earlier) = events.get_mut(place) else { return false };
    earlier.merge(&card.event(told));
    true
}

/// The same for descriptors in the poll set, which most of its members are.
fn tell_polled(
    sources: &mut Sources,
    news: &mut std::slice::Iter<'_, libc::epoll_event>,
    room: &mut Room<'_>,
) -> Option<(u64, u32)> {
    // What an earlier look has put aside may be told once more here.
    let first = if room.stashed == 0 { room.count } else { room.events.len() };
    let mut places = room.events[first..].iter_mut();
    let (cards, _) = sources.cards();
    let mut count = 0;
    let mut left = None;
    for &libc::epoll_event { events, u64: key } in news {
        if let Some(card) = card::find(cards, key)
            && let Some(place) = places.next()
        {
            *place = card.ready(events);
            count += 1;
        } else {
            left = Some((key, events));
            break;
        }
    }
    room.count += count;
    left
}

impl State {
    /// Everything accepted goes out; of what has come back as many events are fetched as there is
    /// room for. `may_sleep`: the ring may as well be asked to tell of what the poll set has later.
    pub fn turn_and_fetch(&mut self, events: &mut [Event], may_sleep: bool) -> Result<usize> {
        let mut room = Room::new(events);
        self.poll.is_awaited = may_sleep && !self.is_on_poll_set() && !self.is_on_descriptor();
        let turned = self.turn_to_tell(&mut room);
        self.poll.is_awaited = false;
        if turned.is_err() && room.count == 0 {
            self.take_notices();
            return turned.map(|()| 0);
        }
        // An error that comes again can wait: what was told must not be lost.
        self.fetch_rest(room)
    }

    fn turn_to_tell(&mut self, room: &mut Room<'_>) -> Result<()> {
        let is_next = self.is_news_next();
        let Self { engines, sources, poll, notices, .. } = self;
        let (first, others) = engines.split_first_mut().ok_or(Errno::EIO)?;
        if is_next {
            first.turn_for(&mut Teller { sources, room }, poll, notices)?;
        } else {
            first.turn(poll, notices)?;
        }
        others.iter_mut().try_for_each(|engine| engine.turn(poll, notices))
    }

    /// Whether what the engine brings is told before anything else: it needs no queue then.
    fn is_news_next(&mut self) -> bool {
        self.poll_first = !self.poll_first;
        self.live() == 0 && !(self.poll_first && self.poll.is_hot())
    }

    /// Takes in what has come back, and fetches at most as many events as there is room for.
    pub fn fetch(&mut self, events: &mut [Event]) -> Result<usize> {
        self.poll_first = !self.poll_first;
        self.fetch_rest(Room::new(events))
    }

    fn fetch_rest(&mut self, room: Room<'_>) -> Result<usize> {
        self.take_notices();
        self.collect();
        if self.live() == 0 && (!self.poll.is_hot() || self.poll.is_left_to_wait) {
            return Ok(room.count);
        }
        let is_spared = self.spares_poll_set();
        self.fetch_more(room, is_spared)
    }

    /// Whether the poll set need not be asked this time, because interfaces bring enough: that would
    /// be a system call for each fetch.
    fn spares_poll_set(&mut self) -> bool {
        let has_enough = self.frames.is_some() && self.live() > 0 && !self.poll.has_caught();
        let is_spared = has_enough && self.spared < SPARED_MAX && self.is_on_poll_set();
        self.spared = if is_spared { self.spared + 1 } else { 0 };
        is_spared
    }

    /// What stands in the queue, and what the poll set has, unless that is spared.
    fn fetch_more(&mut self, mut room: Room<'_>, is_spared: bool) -> Result<usize> {
        // Kept for its memory, as long as nothing fails.
        let mut again = std::mem::take(&mut self.again);
        while room.left() > 0
            && let Some(event) = self.stash.pop_front()
        {
            room.push(event);
        }
        // What came before has been told by sources that are not in the poll set.
        room.stashed = room.count;
        for poll_now in [self.poll_first, !self.poll_first] {
            if poll_now {
                if is_spared {
                    continue;
                }
                // An error that comes again can wait: what was fetched must not be lost.
                let polled = self.fetch_polled(&mut room);
                if room.count == 0 {
                    polled?;
                }
            } else {
                self.fetch_queued(&mut room, &mut again);
            }
        }
        // What the poll set has led to, where it was asked last.
        self.fetch_queued(&mut room, &mut again);
        // Level-triggered: they stand in the queue until they have been emptied.
        for key in again.drain(..) {
            self.stand_again(key);
        }
        self.again = again;
        self.tell_timers(&room);
        Ok(room.count)
    }

    /// What a fetch has told of timers counts for them as told.
    #[inline]
    pub(super) fn tell_timers(&mut self, room: &Room<'_>) {
        if room.has_timers {
            for event in room.events[..room.count].iter().filter(|event| event.kind == event::TIMER)
            {
                if let Some(timer) = self.timer(event.source) {
                    timer.fetched(event.result);
                }
            }
        }
    }

    /// The same for a call that will not wait: before it says that there is nothing it asks, even
    /// if the ring has said nothing. What it would say is brought by the thread that asked for it,
    /// which may take its time, or by none if that one has ended.
    pub fn fetch_now(&mut self, events: &mut [Event]) -> Result<usize> {
        let mut count = self.fetch(events)?;
        if count == 0 && self.poll.is_watched() {
            self.poll.heat();
            count = self.fetch(events)?;
        }
        if count == 0 {
            // The system call has run what waited to be run in this thread.
            self.turn()?;
            if self.live() > 0 {
                count = self.fetch(events)?;
            }
        }
        Ok(count)
    }

    fn fetch_queued(&mut self, room: &mut Room<'_>, again: &mut Vec<Key>) {
        while room.left() > 0 && self.queue.live() > 0 {
            let found = match self.queue.pop() {
                None => break,
                Some(Item::Event(event)) => Some(event),
                Some(Item::Source(key)) => self.fetch_source(key, again),
            };
            if let Some(event) = found {
                room.push(event);
            }
        }
    }

    /// What a source's item in the queue has come to.
    fn fetch_source(&mut self, id: Key, again: &mut Vec<Key>) -> Option<Event> {
        let Some(source) = self.sources.get(id) else {
            self.queue.bury();
            return None;
        };
        source.is_queued = false;
        if !std::mem::take(&mut source.is_live) {
            return None;
        }
        self.queue.set_live(false);
        let cookie = source.cookie;
        match &mut source.kind {
            SourceKind::Socket(_) => self.fetch_receivable(id, again),
            SourceKind::Descriptor(descriptor) => {
                let ready = std::mem::take(&mut descriptor.pending);
                Some(descriptor.event(ready, id, cookie))
            }
            SourceKind::Counter(counter) => {
                let count = std::mem::take(&mut counter.pending);
                Some(Counter::event(counter.fd, count, id, cookie))
            }
            SourceKind::Word(word) => Some(word.event(id, cookie)),
            SourceKind::Semaphore(semaphore) => {
                if !semaphore.oneshot && semaphore.failure.is_none() {
                    again.push(id);
                }
                Some(semaphore.event(id, cookie))
            }
            _ => None,
        }
    }

    /// What the poll set has. A source is not missed because something else took its place.
    fn ready(&mut self, most: usize) -> Result<Found> {
        let mut found = self.poll.ready(most)?;
        for _ in 0..NO_SOURCES {
            let has_source = found.iter().any(|(key, _)| is_source(key));
            if has_source || found.events().len() < most || self.live() > 0 {
                break;
            }
            for (key, _) in found.iter() {
                self.is_no_source(key);
            }
            self.poll.recycle(found);
            found = self.poll.ready(most)?;
        }
        Ok(found)
    }

    /// Asks the poll set, and the sources that are ready.
    pub(super) fn fetch_polled(&mut self, room: &mut Room<'_>) -> Result<()> {
        room.told = room.count;
        // What a wait has fetched nobody would find again.
        let is_full = room.left() == 0 && !self.poll.has_caught();
        if self.poll.take_known_empty() || is_full || !self.poll.is_hot() {
            return Ok(());
        }
        let found = self.ready(room.left())?;
        let mut news = found.events().iter();
        while let Some((key, events)) = tell_polled(&mut self.sources, &mut news, room) {
            self.fetch_ready(key, events, room);
        }
        self.poll.recycle(found);
        let answered = self.answer_calls();
        self.take_notices();
        answered
    }

    /// What sockets have that the poll set has told of, and their engine has not.
    fn answer_calls(&mut self) -> Result<()> {
        let Self { engines, poll, notices, .. } = self;
        engines[0].answer_calls(poll, notices)
    }

    /// What a wait has fetched that was broken off is for others.
    pub(super) fn keep_caught(&mut self) {
        if self.poll.has_caught() {
            self.poll.heat();
            // An error comes again.
            let _ = self.fetch_polled(&mut Room::new(&mut []));
        }
    }

    /// What a member of the poll set that is ready has come to.
    #[inline(never)]
    fn fetch_ready(&mut self, key: u64, events: u32, room: &mut Room<'_>) {
        if self.is_no_source(key) {
            return;
        }
        let id = key as Key;
        if room.left() == 0 {
            // Signals have filled it. What is a state is told next time, and not taken now: a
            // removal of the source would lose it. What is a change would be lost otherwise.
            let is_state = self.sources.get(id).is_some_and(|found| found.is_state());
            if !is_state && let Some(event) = self.polled(id, events) {
                self.stash.push_back(event);
            }
        } else if let Some((taken, cookie)) = self.signals(id, room.left()) {
            for signal in taken {
                let event = signal_event(&signal, id, cookie);
                room.put_signal(event, signal.is_standard());
            }
        } else if let Some(event) = self.polled(id, events) {
            let is_connection = event.kind == event::ACCEPT && event.errno == 0;
            room.put(event);
            if is_connection {
                self.fetch_connections(id, room);
            }
        }
    }

    /// Where one connection waited there are often more. Other sources have their turn, too.
    fn fetch_connections(&mut self, id: Key, room: &mut Room<'_>) {
        for _ in 1..CONNECTIONS_MAX {
            if room.left() == 0 {
                break;
            }
            let Some(event) = self.accepted(id) else { break };
            let has_failed = event.errno != 0;
            room.push(event);
            if has_failed {
                break;
            }
        }
    }

    /// A descriptor of an engine's own is ready: only one engine has such.
    pub(super) fn engine_news(&mut self, place: usize) {
        if let Some(engine) = self.frames {
            self.engines[engine].news(place, &mut self.notices);
        }
    }

    /// What a source of signals has, if it is one.
    fn signals(&mut self, key: Key, most: usize) -> Option<(Vec<crate::sys::signal::Taken>, u64)> {
        let source = self.sources.get(key)?;
        match &source.kind {
            SourceKind::Signals(signals) => Some((signals.take(most), source.cookie)),
            _ => None,
        }
    }

    /// The event of a source whose descriptor is ready, if it has one to tell.
    fn polled(&mut self, key: Key, events: u32) -> Option<Event> {
        let source = self.sources.get(key)?;
        let cookie = source.cookie;
        match &mut source.kind {
            SourceKind::Descriptor(descriptor) => Some(descriptor.event(events, key, cookie)),
            SourceKind::Counter(counter) => counter.take(key, cookie),
            SourceKind::Timer(timer) => timer.take(key, cookie),
            SourceKind::Notification(notification) => {
                let end = notification.take()?;
                let event = arrival_event(end, notification.queue(), cookie);
                // An error could only say that it is gone.
                let _ = self.remove(key);
                event
            }
            SourceKind::Process(process) => {
                let event = process.take(key, cookie)?;
                self.poll.remove(process.fd, key as u64);
                Some(event)
            }
            SourceKind::Accept(_) => self.accepted(key),
            SourceKind::Socket(attachment) => {
                let (engine, fd) = (attachment.engine, attachment.socket.fd);
                let readiness =
                    self.engines[engine].ready(key, events, &mut self.poll, &mut self.notices)?;
                Some(source::receive_event(readiness, fd, key, cookie))
            }
            SourceKind::Signals(_) | SourceKind::Word(_) | SourceKind::Semaphore(_) => None,
        }
    }

    fn is_for_fetch_only(&mut self, id: Key) -> bool {
        self.sources.get(id).is_some_and(|source| source.is_for_fetch_only())
    }

    /// The timer that a source is, if it is one.
    pub fn timer(&mut self, id: Key) -> Option<&Arc<Timer>> {
        match &self.sources.get(id)?.kind {
            SourceKind::Timer(timer) => Some(timer),
            _ => None,
        }
    }

    /// What the source has told and nobody has fetched is taken back: it has new terms now.
    pub fn take_back(&mut self, id: Key) {
        self.stash.retain(|event| event.source != id);
    }

    /// Asks a registration with a queue now how it has ended: the source of one that has goes.
    pub fn look_at_notification(&mut self, id: Key) {
        let source = self.sources.get(id).map(|source| &source.kind);
        if matches!(source, Some(SourceKind::Notification(_)))
            && let Some(event) = self.polled(id, poll::IN)
        {
            self.stash.push_back(event);
        }
    }

    /// Whether something could be fetched. What only a fetch can tell is fetched and queued; what
    /// a removal of the source would lose then is left.
    pub fn look(&mut self) -> Result<bool> {
        if self.live() > 0 || !self.poll.is_hot() {
            return Ok(self.live() > 0);
        }
        let mut is_left = false;
        let found = self.ready(1)?;
        for (key, events) in found.iter() {
            if self.is_no_source(key) {
                continue;
            }
            let left = self.is_for_fetch_only(key as Key);
            is_left |= left;
            if !left && let Some(event) = self.polled(key as Key, events) {
                self.stash.push_back(event);
            }
        }
        self.poll.recycle(found);
        let answered = self.answer_calls();
        self.take_notices();
        answered?;
        Ok(is_left || self.live() > 0)
    }

    /// The same for a call that will not wait: see [`State::fetch_now`].
    pub fn look_now(&mut self) -> Result<bool> {
        if self.poll.is_watched() {
            self.poll.heat();
        }
        if self.look()? {
            return Ok(true);
        }
        self.turn()?;
        Ok(self.live() > 0)
    }

    /// Events that can be fetched without asking the kernel.
    pub(super) fn live(&self) -> usize {
        self.queue.live() + self.stash.len()
    }
}
