//! The executor against the rules, a service with faults, and a scripted engine.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::fs;
use std::time::Duration;

use chancery_executor::{Client, Executor, StartError, measurement};
use chancery_feed::{FileCursors, Subscription, Wakeup};
use chancery_governance::consent::ConsentKind;
use chancery_governance::state::run::{Outcome, Stage};
use chancery_ledger::digest::Digest;
use support::bench::{Bench, SWEEP};
use support::room;

#[tokio::test]
async fn a_requested_run_becomes_an_attested_result() {
    let bench = Bench::new().await;
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    let Stage::Ended(Outcome::Succeeded { result, .. }) = bench.stage() else {
        panic!("{:?}", bench.stage())
    };
    let file = &result.manifest.files[0];
    let content = fs::read(bench.output().join(&file.path)).unwrap();
    assert_eq!(file.digest, Digest::of(&content));
    assert_eq!(result.application, measurement::application());
    assert_eq!(result.votes.len(), 2);
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn a_job_that_outlives_the_executor_is_adopted() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    let key = running.executor.key().clone();
    running.kill().await;
    let running = bench.start().await;
    assert_eq!(running.executor.key(), &key);
    bench.engine.unset("hold");
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn a_job_that_ended_while_the_executor_was_away_is_reported() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until("the engine", |bench| bench.engine.began() == 1).await;
    running.kill().await;
    bench.engine.unset("hold");
    bench.until("its end", |bench| bench.job().join("status/status.json").exists()).await;
    let running = bench.start().await;
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn withdrawn_consent_kills_the_job_and_leaves_no_result() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    bench.until("half a result", |bench| bench.output().join("part-00000.csv").exists()).await;
    bench.service.lock().room.withdraw_consent();
    assert_eq!(bench.stage().name(), "cancelled");
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!((bench.results(), bench.outcomes()), (0, 1));
}

#[tokio::test]
async fn a_pause_kills_the_job_and_leaves_no_result() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    bench.service.lock().room.pause();
    assert_eq!(bench.stage().name(), "cancelled");
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!((bench.results(), bench.outcomes()), (0, 1));
}

#[tokio::test]
async fn telemetry_that_is_withdrawn_while_the_engine_runs_leaves_the_statistics_out() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    bench.service.lock().room.withdraw(ConsentKind::Telemetry);
    bench.engine.unset("hold");
    bench.until_cleared().await;
    running.kill().await;
    let Stage::Ended(Outcome::Succeeded { result, .. }) = bench.stage() else {
        panic!("{:?}", bench.stage())
    };
    let told = &result.statistics;
    assert!(told.inputs.is_empty() && told.segments.is_empty(), "{told:?}");
    assert_eq!((told.rows_written, result.manifest.rows), (1, 1));
}

#[tokio::test]
async fn logging_that_is_withdrawn_leaves_the_code_of_a_failure_and_keeps_no_output() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    bench.engine.set("fail");
    let running = bench.start().await;
    bench.until_stage("started").await;
    bench.service.lock().room.withdraw(ConsentKind::Logging);
    bench.engine.unset("hold");
    bench.until_cleared().await;
    running.kill().await;
    let detail = "withheld: consent to logging is withdrawn";
    assert_eq!(bench.failure(), ("minimum_group_violated".into(), detail.into()));
    let kept = fs::read_dir(bench.config.state_dir.join("failures")).unwrap().count();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn consent_withdrawn_while_the_executor_is_away_clears_the_job_at_its_start() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    running.kill().await;
    bench.service.lock().room.withdraw_consent();
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!((bench.results(), bench.outcomes()), (0, 1));
}

#[tokio::test]
async fn an_engine_that_dies_is_started_again_and_given_up_in_the_end() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("die");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "engine_died");
    assert_eq!((bench.engine.began(), bench.outcomes(), bench.results()), (3, 1, 0));
}

#[tokio::test]
async fn what_a_dead_engine_left_is_no_obstacle_to_the_next() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("die");
    let running = bench.start().await;
    bench.until("the engine", |bench| bench.engine.began() == 1).await;
    bench.engine.unset("half");
    bench.engine.unset("die");
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.outcomes(), bench.results()), (1, 1));
}

#[tokio::test]
async fn a_private_run_whose_engine_died_is_not_started_again() {
    let bench = Bench::private().await;
    bench.engine.set("half");
    bench.engine.set("die");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "privacy_run_interrupted");
    assert_eq!((bench.engine.began(), bench.outcomes(), bench.results()), (1, 1, 0));
}

#[tokio::test]
async fn a_private_result_without_the_noise_of_its_query_fails_and_goes() {
    let bench = Bench::private().await;
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "result_invalid");
    assert_eq!((bench.engine.began(), bench.outcomes(), bench.results()), (1, 1, 0));
}

#[tokio::test]
async fn the_applications_own_failure_is_the_outcome() {
    let bench = Bench::new().await;
    bench.engine.set("fail");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure(), ("minimum_group_violated".into(), "totals: too small".into()));
}

#[tokio::test]
async fn a_result_that_differs_from_its_manifest_fails_and_goes() {
    let bench = Bench::new().await;
    bench.engine.set("lie");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "result_invalid");
    assert_eq!(bench.results(), 0);
}

#[tokio::test]
async fn a_result_of_somebody_else_is_never_written_over_nor_removed() {
    let bench = Bench::new().await;
    fs::create_dir_all(bench.output()).unwrap();
    fs::write(bench.output().join("theirs.csv"), "x").unwrap();
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "output_exists");
    assert_eq!(bench.engine.began(), 0);
    assert!(bench.output().join("theirs.csv").exists());
}

#[tokio::test]
async fn a_dataset_outside_the_data_root_fails_the_run() {
    let bench = Bench::new().await;
    let orders = bench.folder.path().join("data").join(support::room::orders_folder());
    let link = orders.join("link.csv");
    std::os::unix::fs::symlink("/etc/hostname", link).unwrap();
    let running = bench.start().await;
    bench.until_stage("failed").await;
    running.kill().await;
    assert_eq!(bench.failure().0, "dataset_path_refused");
    assert_eq!(bench.engine.began(), 0);
}

#[tokio::test]
async fn lost_replies_and_a_service_that_is_away_change_nothing() {
    let bench = Bench::new().await;
    {
        let mut inner = bench.service.lock();
        inner.away = 3;
        inner.lose_replies = 8;
    }
    let running = bench.start().await;
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn a_token_that_is_good_no_more_is_renewed() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    bench.service.lock().token += 1;
    bench.engine.unset("hold");
    bench.until_stage("succeeded").await;
    running.kill().await;
}

#[tokio::test]
async fn one_state_folder_has_one_executor() {
    let bench = Bench::new().await;
    let running = bench.start().await;
    let cursors = bench.config.state_dir.join("other-cursors");
    let client = Client::new(&bench.config, reqwest::Client::builder().no_proxy().build().unwrap());
    let cursors = FileCursors::open(&cursors).await.unwrap();
    let subscription =
        Subscription::open(client.clone(), cursors, Wakeup::none(), SWEEP).await.unwrap();
    let second = Executor::start(&bench.config, client, subscription, std::future::pending());
    assert!(matches!(second, Err(StartError::State(_))));
    running.kill().await;
}

#[tokio::test]
async fn a_lost_state_folder_means_a_new_key_and_a_new_admission() {
    let mut bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    let key = running.executor.key().clone();
    running.kill().await;
    // With the folder goes what was known of the job; a new machine does not have its processes.
    let old = bench.config.state_dir.clone();
    bench.config.state_dir = bench.folder.path().join("state-2");
    bench.engine.unset("hold");
    bench
        .until("the old engine", |_| {
            let status = old.join("jobs").join(room::id().to_string()).join(bench.run.to_string());
            status.join("status/status.json").exists()
        })
        .await;
    fs::remove_dir_all(bench.output()).unwrap();
    let running = bench.start().await;
    assert_ne!(running.executor.key(), &key);
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (2, 1));
}

#[tokio::test]
async fn nothing_is_done_on_a_log_that_does_not_verify() {
    let tampered = Bench::new().await;
    tampered.service.lock().tampered = Some(6);
    let mut pinned = Bench::new().await;
    pinned.config.service_keys = vec![Digest::of(b"another service")];
    for bench in [tampered, pinned] {
        let running = bench.start().await;
        bench.until("sweeps", |bench| bench.service.lock().sweeps > 20).await;
        running.kill().await;
        assert_eq!((bench.stage().name(), bench.engine.began()), ("requested", 0));
    }
}

#[tokio::test]
async fn killed_again_and_again_it_still_comes_to_one_outcome() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    bench.service.lock().lose_replies = 3;
    for n in 0..25_u32 {
        let running = bench.start().await;
        tokio::time::sleep(Duration::from_millis(u64::from(n * n % 97) * 3)).await;
        running.kill().await;
        if n == 20 {
            bench.engine.unset("hold");
        }
    }
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.stage().name(), "succeeded");
    assert_eq!((bench.engine.began(), bench.outcomes(), bench.results()), (1, 1, 1));
}

/// The key of the encrypted input.
const SECRET: &[u8] = b"thirty-two bytes of a data key!!";

#[tokio::test]
async fn the_key_of_an_encrypted_input_reaches_the_application_and_nobody_else() {
    let bench = Bench::encrypted(SECRET).await;
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.stage().name(), "succeeded");
    let told = bench.engine.told().unwrap();
    let encoded = "dGhpcnR5LXR3byBieXRlcyBvZiBhIGRhdGEga2V5ISE";
    assert_eq!(told["secrets"][room::orders().to_string()], encoded);
    assert_eq!(told["mode"], 0o600);
    let shown = told["shown"].as_str().unwrap();
    assert!(!shown.contains(encoded) && !shown.contains("thirty-two"), "{shown}");
    assert_eq!((bench.count("SecretReleased"), bench.count("SecretRefused")), (1, 0));
}

#[tokio::test]
async fn a_release_is_asked_for_once_whatever_is_lost_and_however_often_the_engine_starts() {
    let bench = Bench::encrypted(SECRET).await;
    bench.engine.set("die");
    bench.service.lock().lose_replies = 3;
    let running = bench.start().await;
    bench.until("a start", |bench| bench.engine.began() > 0).await;
    running.kill().await;
    bench.engine.unset("die");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.stage().name(), "succeeded");
    assert!(bench.engine.began() > 1);
    assert_eq!((bench.count("SecretReleased"), bench.count("SecretRefused")), (1, 0));
}

#[tokio::test]
async fn a_run_whose_secret_is_refused_fails_and_starts_nothing() {
    let bench = Bench::encrypted(SECRET).await;
    bench.service.lock().room.erase_secret();
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    let (code, detail) = bench.failure();
    assert_eq!(code, "secret_refused");
    assert_eq!(detail, "the secret of an input was refused: secret_refused");
    assert_eq!((bench.engine.began(), bench.outcomes()), (0, 1));
    assert_eq!((bench.count("SecretReleased"), bench.count("SecretRefused")), (0, 1));
}
