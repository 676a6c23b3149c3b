//! What workers rely on, wherever they wait.

use core::time::Duration;
use std::io;
use std::net::UdpSocket;

use crate::udp::Source;

/// A socket that something can be sent to, and the one that sends it.
fn sockets() -> (UdpSocket, UdpSocket) {
    let (here, there) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in [&here, &there] {
        socket.set_nonblocking(true).unwrap();
    }
    there.connect(here.local_addr().unwrap()).unwrap();
    (here, there)
}

/// Reads what one datagram says; `None` if there is none.
fn read(socket: &UdpSocket, source: &impl Source) -> Option<u8> {
    let mut byte = [0];
    let read = source.try_read(|_| socket.recv(&mut byte));
    match read {
        Ok(_) => Some(byte[0]),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

async fn readable(source: &impl Source) {
    core::future::poll_fn(|context| source.poll_readable(context)).await.unwrap();
}

macro_rules! wherever_workers_wait {
    ($name:ident, $place:path) => {
        mod $name {
            use $place::{Stop, Watch};

            use super::*;

            fn watch() -> Watch {
                Watch::new(&Stop::new().unwrap()).unwrap()
            }

            #[test]
            fn what_a_turn_leaves_is_found_by_the_next() {
                let (watch, (here, there)) = (watch(), sockets());
                for number in 0..3 {
                    there.send(&[number]).unwrap();
                }
                let numbers = watch.run(async {
                    let source = watch.socket(here.try_clone().unwrap()).unwrap();
                    let mut numbers = Vec::new();
                    while numbers.len() < 3 {
                        readable(&source).await;
                        numbers.extend(read(&here, &source));
                        watch.on_turn(false).await;
                    }
                    assert_eq!(read(&here, &source), None);
                    numbers
                });
                assert_eq!(numbers.unwrap(), Some(vec![0, 1, 2]));
            }

            #[test]
            fn what_arrives_later_ends_the_wait_whatever_a_worker_does_before_it_sleeps() {
                let (watch, (here, there)) = (watch(), sockets());
                let ends = watch.run(async {
                    let source = watch.socket(here.try_clone().unwrap()).unwrap();
                    for after in [0, 20, 50, 100, 200, 400, 20_000].map(Duration::from_micros) {
                        // Busy: it has not waited for long.
                        there.send(&[0]).unwrap();
                        readable(&source).await;
                        while read(&here, &source).is_some() {}
                        watch.on_turn(false).await;
                        let there = there.try_clone().unwrap();
                        let sender = std::thread::spawn(move || {
                            std::thread::sleep(after);
                            there.send(&[7])
                        });
                        readable(&source).await;
                        assert_eq!(read(&here, &source), Some(7), "{after:?}");
                        assert!(sender.join().is_ok_and(|sent| sent.is_ok()));
                    }
                });
                assert_eq!(ends.unwrap(), Some(()));
            }

            #[test]
            fn who_always_has_something_to_do_does_not_keep_others_from_it() {
                let (watch, (flooded, flood), (here, there)) = (watch(), sockets(), sockets());
                let number = watch.run(async {
                    let floods = watch.socket(flooded.try_clone().unwrap()).unwrap();
                    let source = watch.socket(here.try_clone().unwrap()).unwrap();
                    let always = async {
                        loop {
                            flood.send(&[0]).unwrap();
                            readable(&floods).await;
                            read(&flooded, &floods);
                            flood.send(&[0]).unwrap();
                            watch.on_turn(false).await;
                        }
                    };
                    let once = async {
                        readable(&source).await;
                        read(&here, &source)
                    };
                    there.send(&[7]).unwrap();
                    tokio::select! {
                        biased;
                        () = always => None,
                        number = once => number,
                    }
                });
                assert_eq!(number.unwrap(), Some(Some(7)));
            }

            #[test]
            fn a_pause_ends_and_nobody_else_waits_for_it() {
                let (watch, (here, there)) = (watch(), sockets());
                there.send(&[7]).unwrap();
                let order = watch.run(async {
                    let source = watch.socket(here.try_clone().unwrap()).unwrap();
                    let order = core::cell::RefCell::new(Vec::new());
                    let paused = async {
                        watch.pause(Duration::from_millis(30)).await;
                        order.borrow_mut().push("paused");
                    };
                    let arrived = async {
                        readable(&source).await;
                        order.borrow_mut().push("arrived");
                    };
                    tokio::join!(paused, arrived);
                    order.take()
                });
                assert_eq!(order.unwrap().unwrap(), ["arrived", "paused"]);
            }

            #[test]
            fn a_socket_with_room_is_writable() {
                let (watch, (here, there)) = (watch(), sockets());
                let written = watch.run(async {
                    for _ in 0..100 {
                        watch.writable(&there).await.unwrap();
                        there.send(&[7]).unwrap();
                    }
                });
                assert_eq!(written.unwrap(), Some(()));
                assert!(here.recv(&mut [0]).is_ok());
            }

            #[test]
            fn the_word_to_stop_ends_a_wait_and_is_never_forgotten() {
                let stop = Stop::new().unwrap();
                let (first, second) = (Watch::new(&stop).unwrap(), Watch::new(&stop).unwrap());
                let sayer = std::thread::spawn({
                    let stop = stop.clone();
                    move || {
                        std::thread::sleep(Duration::from_millis(20));
                        stop.say();
                    }
                });
                assert_eq!(first.run(core::future::pending::<()>()).unwrap(), None);
                assert_eq!(second.run(core::future::pending::<()>()).unwrap(), None);
                assert_eq!(first.run(core::future::pending::<()>()).unwrap(), None);
                sayer.join().unwrap();
            }
        }
    };
}

wherever_workers_wait!(here, crate::watch);
#[cfg(target_os = "linux")]
wherever_workers_wait!(elsewhere, crate::watch::runtime);
