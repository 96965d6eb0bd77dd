//! Work that is done before it is needed, on threads of its own, and handed over in the order in which it was asked for.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ThreadPoolBuilder;

/// Jobs that threads work off in the order in which they came, and their results in the same order.
///
/// What a job computes must depend on nothing but what it was given, so that it is the same whether it runs ahead, late,
/// or, without threads, only when its result is asked for. How much is begun ahead, and so how much lies in memory, is
/// for the caller to bound, by [`push`](Ahead::push)ing no more before it takes a result; [`in_order`] does that.
///
/// Dropped, it lets the jobs that have begun come to their end, and begins no more.
pub struct Ahead<T> {
    waiting: VecDeque<Waiting<T>>,
    queue: Option<Sender<Job>>,
    stop: Arc<AtomicBool>,
    /// Nothing is ever sent: it is closed when the last thread has ended.
    ended: Receiver<()>,
}

type Job = Box<dyn FnOnce() + Send>;

enum Waiting<T> {
    /// To be run by who asks for the result.
    Here(Box<dyn FnOnce() -> T + Send>),
    /// Run, or to be run, by a thread: the result, or what it panicked with.
    There(Receiver<Result<T, Box<dyn Any + Send>>>),
}

impl<T: Send + 'static> Ahead<T> {
    /// So many threads; 0 (or none that the system would start): every job runs when its result is asked for.
    ///
    /// A thread is a pool of one for whatever a job does in parallel: jobs are what is spread over the cores, and they
    /// do not wait for the program's pool while that works on something else.
    pub fn new(threads: usize) -> Ahead<T> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let stop = Arc::new(AtomicBool::new(false));
        let (alive, ended) = mpsc::sync_channel(0);
        let mut started = 0;
        for _ in 0..threads {
            let Ok(pool) = ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "ahead".to_owned()).build() else {
                break;
            };
            let (jobs, stop, alive) = (Arc::clone(&jobs), Arc::clone(&stop), alive.clone());
            // The pool outlives its handle until this has ended.
            pool.spawn(move || work(&jobs, &stop, alive));
            started += 1;
        }
        Ahead { waiting: VecDeque::new(), queue: (started > 0).then_some(queue), stop, ended }
    }

    /// Asks for one more result.
    pub fn push(&mut self, job: impl FnOnce() -> T + Send + 'static) {
        let Some(queue) = &self.queue else {
            self.waiting.push_back(Waiting::Here(Box::new(job)));
            return;
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        // Nobody is left to receive where the whole was dropped.
        let job = move || drop(sender.send(catch_unwind(AssertUnwindSafe(job))));
        self.waiting.push_back(Waiting::There(receiver));
        // The threads end only once the queue is closed.
        let _ = queue.send(Box::new(job));
    }

    /// The oldest result that was asked for and not yet taken; `None` where there is none. Waits for it.
    ///
    /// # Panics
    ///
    /// Where the job panicked, with what it panicked with.
    pub fn take(&mut self) -> Option<T> {
        match self.waiting.pop_front()? {
            Waiting::Here(job) => Some(job()),
            Waiting::There(result) => match result.recv() {
                Ok(Ok(result)) => Some(result),
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => unreachable!("threads send a result for every job that they were given"),
            },
        }
    }

    /// How many results have been asked for and not yet taken.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue = None;
        // What is written to disk is written to its end before the program can end.
        let _ = self.ended.recv();
    }
}

/// One thread: jobs until the queue is closed. `_alive` closes the channel on which its end is waited for.
fn work(jobs: &Mutex<Receiver<Job>>, stop: &AtomicBool, _alive: SyncSender<()>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) if !stop.load(Ordering::Relaxed) => job(),
            _ => return,
        }
    }
}

/// The results of `jobs` in their order, of which at most `window` are begun and not yet taken.
///
/// # Panics
///
/// The iterator panics where a job did; this does if the window is 0.
pub fn in_order<T, J>(threads: usize, window: usize, jobs: impl Iterator<Item = J>) -> impl Iterator<Item = T>
where
    T: Send + 'static,
    J: FnOnce() -> T + Send + 'static,
{
    assert!(window > 0, "a window of 0 jobs gets nowhere");
    let mut ahead = Ahead::new(threads);
    let mut jobs = jobs.fuse();
    std::iter::from_fn(move || {
        while ahead.len() < window
            && let Some(job) = jobs.next()
        {
            ahead.push(job);
        }
        ahead.take()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread::{current, sleep};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs_however_long_each_takes() {
        for threads in [0, 1, 3] {
            let jobs = (0..20u64).map(|index| {
                move || {
                    sleep(Duration::from_millis((index * 7) % 5));
                    index
                }
            });
            assert_eq!(in_order(threads, 6, jobs).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_more_is_begun_than_the_window_allows() {
        let begun = Arc::new(AtomicUsize::new(0));
        let jobs = (0..30).map(|_| {
            let begun = Arc::clone(&begun);
            move || begun.fetch_add(1, Ordering::SeqCst)
        });
        for (taken, _) in in_order(2, 4, jobs).enumerate() {
            sleep(Duration::from_millis(1));
            let begun = begun.load(Ordering::SeqCst);
            assert!(begun <= taken + 4, "{begun} were begun when {taken} had been taken");
        }
    }

    #[test]
    fn without_threads_a_job_runs_when_it_is_asked_for_and_where() {
        let mut ahead = Ahead::new(0);
        let here = current().id();
        let ran = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ran);
        ahead.push(move || {
            seen.store(true, Ordering::SeqCst);
            current().id()
        });
        assert!(!ran.load(Ordering::SeqCst));
        assert_eq!(ahead.take(), Some(here));
        assert_eq!((ahead.take(), ahead.len()), (None, 0));
    }

    #[test]
    fn a_panic_reaches_who_asks_for_the_result_and_no_other() {
        let mut ahead = Ahead::new(2);
        for index in 0..3 {
            ahead.push(move || if index == 1 { panic!("job {index}") } else { index });
        }
        assert_eq!(ahead.take(), Some(0));
        let panic = catch_unwind(AssertUnwindSafe(|| ahead.take())).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("job 1"));
        assert_eq!(ahead.take(), Some(2));
    }

    #[test]
    fn dropped_it_waits_for_what_has_begun_and_begins_no_more() {
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut ahead = Ahead::new(2);
        for _ in 0..100 {
            let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            ahead.push(move || {
                begun.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_millis(20));
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        ahead.take();
        drop(ahead);
        let begun = begun.load(Ordering::SeqCst);
        assert_eq!(begun, ended.load(Ordering::SeqCst));
        assert!(begun < 100, "{begun} of 100 jobs were begun");
    }

    #[test]
    fn a_job_has_its_thread_to_itself_for_what_it_does_in_parallel() {
        assert_eq!(in_order(2, 2, [rayon::current_num_threads].into_iter()).collect::<Vec<_>>(), [1]);
    }
}
