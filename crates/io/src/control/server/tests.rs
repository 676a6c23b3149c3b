use interprocess::local_socket::traits::tokio::Stream as _;

use super::*;
use crate::control::{ControlError, ask};

/// Answers every question: `stop` with yes, anything else with an error that repeats it.
fn answering(server: Server) -> tokio::task::JoinHandle<()> {
    let (sender, mut questions) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(Question { request, answer }) = questions.recv().await {
            let outcome = match request {
                Request::Stop => Outcome::Stopped(true),
                other => Outcome::Error(format!("{other:?}")),
            };
            let _ = answer.send(outcome);
        }
    });
    tokio::spawn(server.run(sender))
}

#[tokio::test]
async fn a_question_and_its_answer_make_the_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/down/stead.sock");
    let running = answering(Server::bind(&path).await.unwrap());

    let reply = ask(&path, &Request::Stop).await.unwrap();
    let refused = ask(&path, &Request::Connections).await.unwrap_err();

    assert_eq!(reply, Reply::from(Outcome::Stopped(true)));
    assert!(matches!(refused, ControlError::Refused(reason) if reason == "Connections"));
    running.abort();
}

#[tokio::test]
async fn clients_are_served_side_by_side_and_a_silent_one_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let running = answering(Server::bind(&path).await.unwrap());
    let _silent = Stream::connect(socket_name(&path).unwrap()).await.unwrap();

    let asked: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            tokio::spawn(async move { ask(&path, &Request::Stop).await })
        })
        .collect();

    for reply in asked {
        assert!(reply.await.unwrap().is_ok());
    }
    running.abort();
}

#[tokio::test]
async fn a_line_without_end_is_refused_and_the_client_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let running = answering(Server::bind(&path).await.unwrap());
    let stream = Stream::connect(socket_name(&path).unwrap()).await.unwrap();

    (&stream).write_all(&[b'x'; LONGEST_REQUEST]).await.unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_to_string(&mut answer).await.unwrap();

    assert!(answer.contains("one line"), "{answer}");
    running.abort();
}

#[tokio::test]
async fn nonsense_is_answered_with_an_error_and_the_next_request_is_still_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let running = answering(Server::bind(&path).await.unwrap());
    let stream = Stream::connect(socket_name(&path).unwrap()).await.unwrap();
    let mut lines = BufReader::new(&stream).lines();

    (&stream).write_all(b"what?\n{\"command\":\"stop\"}\n").await.unwrap();

    assert!(lines.next_line().await.unwrap().unwrap().contains("not a request"));
    assert!(lines.next_line().await.unwrap().unwrap().contains("\"stopped\":true"));
    running.abort();
}

#[tokio::test]
async fn a_second_daemon_is_refused_while_the_first_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let running = answering(Server::bind(&path).await.unwrap());

    let asked = std::time::Instant::now();
    let error = Server::bind(&path).await.unwrap_err();

    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "at once, and not as long as a dying one is waited for"
    );
    assert!(matches!(error, BindError::Taken(_)), "{error:?}");
    assert!(ask(&path, &Request::Stop).await.is_ok(), "the first one is still there");
    running.abort();
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_nobody_answers_is_replaced_and_goes_with_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves the file behind, as a killed daemon does");

    let server = Server::bind(&path).await.unwrap();
    assert!(path.exists());
    drop(server);

    assert!(!path.exists());
}

/// A daemon that was killed: clients reach its socket and hear nothing until it is closed.
#[cfg(unix)]
#[tokio::test]
async fn a_socket_of_a_dying_daemon_is_waited_for_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let dying = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let death = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(150));
        // One client is let go, the next is left to the kernel.
        drop(dying.accept().unwrap());
        std::thread::sleep(Duration::from_millis(150));
        drop(dying);
    });

    let server = Server::bind(&path).await.unwrap();

    assert!(death.is_finished(), "the socket was taken from a daemon that held it");
    let running = answering(server);
    assert!(ask(&path, &Request::Stop).await.is_ok(), "the new one answers");
    running.abort();
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_daemon_that_holds_its_socket_in_silence_is_not_robbed_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let _stuck = std::os::unix::net::UnixListener::bind(&path).unwrap();

    let error = Server::bind(&path).await.unwrap_err();

    assert!(matches!(error, BindError::Taken(_)), "{error:?}");
    assert!(path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_no_socket_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    std::fs::write(&path, "precious").unwrap();

    let error = Server::bind(&path).await.unwrap_err();

    assert!(matches!(error, BindError::NotASocket(_)), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_ask() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");

    let _server = Server::bind(&path).await.unwrap();

    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_last_answer_arrives_although_the_daemon_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stead.sock");
    let server = Server::bind(&path).await.unwrap();
    let _idle = Stream::connect(socket_name(&path).unwrap()).await.unwrap();
    let (sender, mut questions) = mpsc::channel(4);
    let running = tokio::spawn(server.run(sender));

    let asking = tokio::spawn({
        let path = path.clone();
        async move { ask(&path, &Request::Stop).await }
    });
    let _ = questions.recv().await.unwrap().answer.send(Outcome::Stopped(true));
    drop(questions);

    assert_eq!(asking.await.unwrap().unwrap(), Reply::from(Outcome::Stopped(true)));
    timeout(LAST_WORDS, running).await.expect("the idle client is not waited for").unwrap();
    assert!(!path.exists());
}
