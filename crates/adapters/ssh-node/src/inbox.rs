//! What the client sent and nobody has taken yet, and how the client is slowed down.
//!
//! russh opens a channel's window again as soon as it has received data, and hands the data over inside the loop that also
//! sends. Waiting there for a slow program would deadlock with a program that waits for its output to be sent. So data are
//! always taken, and the window is kept nearly shut while too much lies here: two bytes at a time, which is what it takes to
//! be asked again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;

use crate::limits::lock;

/// A channel's window, in bytes. OpenSSH's is as large.
pub(crate) const WINDOW: u32 = 2 * 1024 * 1024;
/// What a window is kept at while too much lies in the inboxes.
const TRICKLE: u32 = 2;
/// How many bytes may lie in all inboxes of a connection until windows are kept shut.
const HIGH: usize = 2 * 1024 * 1024;
/// How few bytes must lie there until windows are opened again.
const LOW: usize = 1024 * 1024;
/// Small pieces are joined up to this size.
const PIECE: usize = 32 * 1024;
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The bytes in all inboxes of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Level(Arc<AtomicUsize>);

impl Level {
    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The data of one channel.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
    level: Level,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    has_ended: bool,
    is_abandoned: bool,
}

impl Inbox {
    pub(crate) fn new(level: Level) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Notify::new(),
            level,
        })
    }

    /// Adds data, unless nobody wants any.
    pub(crate) fn push(&self, data: &[u8]) {
        let mut state = lock(&self.state);
        if state.is_abandoned || state.has_ended || data.is_empty() {
            return;
        }
        self.level.0.fetch_add(data.len(), Ordering::Relaxed);
        match state.pieces.back_mut() {
            Some(last) if last.len() + data.len() <= PIECE => last.extend_from_slice(data),
            Some(_) | None => state.pieces.push_back(data.to_vec()),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// There will be no more.
    pub(crate) fn end(&self) {
        lock(&self.state).has_ended = true;
        self.changed.notify_one();
    }

    /// Nobody wants any more.
    pub(crate) fn abandon(&self) {
        let mut state = lock(&self.state);
        state.is_abandoned = true;
        let lost: usize = state.pieces.drain(..).map(|piece| piece.len()).sum();
        self.level.0.fetch_sub(lost, Ordering::Relaxed);
    }

    /// The next piece; `None` when there will be no more. Only one may wait.
    pub(crate) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = lock(&self.state);
                if let Some(piece) = state.pieces.pop_front() {
                    self.level.0.fetch_sub(piece.len(), Ordering::Relaxed);
                    return Some(piece);
                }
                if state.has_ended || state.is_abandoned {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Decides on the windows of one connection, and knows them, so that a client that ignores them is found.
#[derive(Debug)]
pub(crate) struct Throttle {
    level: Level,
    target: u32,
    pause: Duration,
}

/// One channel's window, as the client has to see it.
#[derive(Debug)]
pub(crate) struct Window {
    left: u32,
    grown_to: Option<u32>,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self {
            left: WINDOW,
            grown_to: None,
        }
    }

    /// Whether the client was allowed to send that much.
    pub(crate) fn take(&mut self, length: usize) -> bool {
        let Some(left) = u32::try_from(length)
            .ok()
            .and_then(|length| self.left.checked_sub(length))
        else {
            return false;
        };
        self.left = self.grown_to.take().unwrap_or(left);
        true
    }
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            level: Level::default(),
            target: WINDOW,
            pause: Duration::ZERO,
        }
    }

    pub(crate) fn level(&self) -> Level {
        self.level.clone()
    }

    /// A window was opened to the present target. Returns the next target, for every channel of the connection.
    pub(crate) fn opened(&mut self, window: Option<&mut Window>) -> u32 {
        if let Some(window) = window {
            window.grown_to = Some(self.target);
        }
        let limit = if self.target == TRICKLE { LOW } else { HIGH };
        self.target = if self.level.bytes() > limit {
            TRICKLE
        } else {
            WINDOW
        };
        self.target
    }

    /// How long to wait before the next packet is read.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        if self.target != TRICKLE || self.level.bytes() <= LOW {
            self.pause = Duration::ZERO;
            return None;
        }
        self.pause = (self.pause * 2).clamp(Duration::from_millis(1), LONGEST_PAUSE);
        Some(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_come_out_in_order_and_then_the_end() {
        let level = Level::default();
        let inbox = Inbox::new(level.clone());
        inbox.push(b"ab");
        inbox.push(b"c");
        inbox.push(&[7; PIECE]);
        assert_eq!(level.bytes(), PIECE + 3);
        assert_eq!(inbox.next().await.unwrap(), b"abc");
        assert_eq!(inbox.next().await.unwrap(), [7; PIECE]);
        inbox.end();
        assert_eq!(inbox.next().await, None);
        assert_eq!(level.bytes(), 0);
    }

    #[test]
    fn a_full_inbox_keeps_windows_shut_until_it_is_nearly_empty() {
        let mut throttle = Throttle::new();
        let inbox = Inbox::new(throttle.level());
        let mut window = Window::new();
        assert_eq!(throttle.opened(Some(&mut window)), WINDOW);
        inbox.push(&vec![0; HIGH + 1]);
        assert_eq!(throttle.opened(None), TRICKLE);
        assert!(throttle.pause().is_some());
        inbox.abandon();
        assert_eq!(throttle.opened(None), WINDOW);
        assert!(throttle.pause().is_none());
    }

    #[test]
    fn a_client_that_sends_more_than_its_window_is_found() {
        let mut throttle = Throttle::new();
        let mut window = Window::new();
        assert!(window.take(WINDOW as usize - 1));
        throttle.opened(Some(&mut window));
        assert!(window.take(1));
        assert!(window.take(WINDOW as usize));
        assert!(!window.take(1));
    }
}
