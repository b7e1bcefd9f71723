//! Secrets and tokens over HTTP: sealed all the way, handed out to the key that the log names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::event::Event;
use chancery_governance::query::DatasetVersion;
use chancery_governance::secret::{SEALED_SECRET_LEN_MAX, stored_context, stored_name};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::{Algorithm, PublicKey};
use chancery_sealing::OpeningKey;
use serde_json::{Value as Json, json};

use crate::support::answer::Call;
use crate::support::commands;
use crate::support::fixtures;
use crate::support::room::{Room, Stage};
use crate::support::secrets::{AUDIENCE, LIFE_MS, PLAIN};
use crate::support::{ISSUER, key};

#[tokio::test]
async fn a_secret_goes_from_its_owner_to_the_attested_executor_and_stands_nowhere_in_clear() {
    let room = Room::secretive().await;
    let view = room.contosso.reads(&room.path(&format!("/datasets/{}", room.orders))).await;
    let ciphertext: Digest = view.parsed("/secret/ciphertext");
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    let ask = room.asks_secret(&executor);
    let released = executor.does(&ask).await;
    assert_eq!(released.kinds(), ["SecretReleased", "AttestationRecorded"]);
    let path = room.given_path(released.number("/position"));
    let given = executor.person.reads(&path).await;
    assert_eq!(given.text("/kind"), "secret");
    assert_eq!(room.opens(&given), PLAIN);
    // The same command gives the same outcome, and the same entry is handed out again.
    assert_eq!(executor.does(&ask).await.json["replayed"], true);
    assert_eq!(room.opens(&executor.person.reads(&path).await), PLAIN);

    let run = room.contosso.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!(run.text("/handed_out/0/kind"), "secret");
    assert_eq!(run.parsed::<Digest>("/handed_out/0/ciphertext"), ciphertext);
    for file in room.service.files() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(PLAIN.len()).any(|it| it == PLAIN), "{}", file.display());
    }
    room.finish().await;
}

#[tokio::test]
async fn nobody_but_the_executor_asks_for_or_fetches_a_secret() {
    let room = Room::secretive().await;
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    let ask = room.asks_secret(&executor);
    for person in room.people() {
        person.refused(&ask, 403, "not_an_executor").await;
    }
    let position = executor.does(&ask).await.number("/position");
    let path = room.given_path(position);
    for person in room.people() {
        person.tries_to_read(&path).await.assert_problem(403, "not_an_executor");
    }
    room.service.send(Call::get(&path)).await.assert_problem(401, "token_missing");
    for other in [position + 1, position - 1, u64::MAX] {
        let answer = executor.person.tries_to_read(&room.given_path(other)).await;
        answer.assert_problem(404, "not_given");
    }
    // Unsigned, or by another key.
    let unsigned = room.service.send(executor.person.witnessed(&room.asks_secret(&executor))).await;
    unsigned.assert_problem(403, "executor_signature_required");
    let mut other = executor.clone();
    other.key = std::sync::Arc::new(key(202));
    other.refused(&room.asks_secret(&other), 403, "not_the_admitted_executor").await;
    room.finish().await;
}

#[tokio::test]
async fn a_withdrawal_refuses_and_stops_what_was_released_from_being_handed_out() {
    let room = Room::secretive().await;
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    let released = executor.does(&room.asks_secret(&executor)).await;
    let withdraw = commands::consent(
        room.next(),
        room.id,
        chancery_governance::subject::Subject::Dataset(room.campaigns),
        "withdraw",
    );
    room.contosso.does(&withdraw).await;
    let fetched =
        executor.person.tries_to_read(&room.given_path(released.number("/position"))).await;
    fetched.assert_problem(409, "run_already_ended");
    assert!(fetched.reasons().contains(&"consent_withdrawn"), "{:?}", fetched.reasons());
    for (ask, code) in [
        (room.asks_secret(&executor), "secret_refused"),
        (room.asks_token(&executor), "token_refused"),
    ] {
        let refused = executor.tries(&ask).await;
        refused.assert_problem(409, code);
        assert!(refused.reasons().contains(&"consent_withdrawn"), "{:?}", refused.reasons());
        let position = usize::try_from(refused.number("/position")).unwrap();
        let events = room.service.events(room.id).await;
        assert!(matches!(events[position], Event::SecretRefused(_) | Event::TokenRefused(_)));
        // A repeat is told the same.
        executor.tries(&ask).await.assert_problem(409, code);
    }
    room.finish().await;
}

#[tokio::test]
async fn a_secret_that_is_erased_replaced_or_outdated_is_gone_from_every_file() {
    let room = Room::at(Stage::Stocked).await;
    let (store, sealed) = room.stores(PLAIN).await;
    room.litware.does(&store).await;
    let name = |sealed: &[u8]| stored_name(room.orders, &Digest::of(sealed));
    let held = room.service.store.personal_key(room.id, &name(&sealed)).await.unwrap();
    assert_eq!(held.as_deref(), Some(&*sealed));
    // Replaced.
    let (again, second) = room.stores(PLAIN).await;
    room.litware.does(&again).await;
    assert_eq!(room.service.store.personal_key(room.id, &name(&sealed)).await.unwrap(), None);
    // Erased.
    let erase = commands::erase_secret(room.next(), room.id, room.orders);
    assert_eq!(room.litware.does(&erase).await.kinds(), ["DatasetSecretErased"]);
    assert_eq!(room.service.store.personal_key(room.id, &name(&second)).await.unwrap(), None);
    // Outdated, then retired.
    let (third, outdated) = room.stores(PLAIN).await;
    room.litware.does(&third).await;
    let moved = fixtures::moved(fixtures::orders());
    let publish = commands::publish_version(room.next(), room.id, room.orders, moved);
    room.litware.does(&publish).await;
    let (fourth, retired) = room.stores(PLAIN).await;
    room.litware.does(&fourth).await;
    room.litware.does(&commands::retire(room.next(), room.id, room.orders)).await;
    for gone in [&sealed, &second, &outdated, &retired] {
        assert_eq!(room.service.store.personal_key(room.id, &name(gone)).await.unwrap(), None);
        for file in room.service.files() {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(gone.len()).any(|it| it == &**gone), "{}", file.display());
        }
    }
    room.finish().await;
}

#[tokio::test]
async fn a_secret_that_the_service_could_not_hand_out_is_refused_when_it_is_stored() {
    let room = Room::at(Stage::Stocked).await;
    let keys = room.announced().await;
    let (store, sealed) = room.stores(PLAIN).await;
    let state = room.service.state(room.id).await;
    let of = |dataset| {
        let digest = state.dataset_version(dataset).unwrap().1.digest;
        DatasetVersion { dataset, digest }
    };
    let version = of(room.orders).digest.to_string();
    let named = (&*version, keys.text("/release_key_id"));
    let storing =
        |sealed: &[u8]| commands::store_secret(room.next(), room.id, room.orders, named, sealed);
    let other = OpeningKey::derive(&[1; 32]);
    let context = stored_context(room.id, &of(room.orders));
    let elsewhere = chancery_sealing::seal(other.public(), &context, PLAIN).unwrap();
    let release = keys.parsed("/release_key");
    let stray = stored_context(room.id, &of(room.campaigns));
    let stray = chancery_sealing::seal(&release, &stray, PLAIN).unwrap();
    for sealed in [elsewhere, stray, vec![0; 48]] {
        room.litware.refused(&storing(&sealed), 422, "secret_not_openable").await;
    }
    for sealed in [Vec::new(), vec![0; SEALED_SECRET_LEN_MAX + 1]] {
        room.litware.refused(&storing(&sealed), 422, "invalid_content").await;
    }
    // The longest one goes.
    let longest = vec![7; SEALED_SECRET_LEN_MAX - chancery_sealing::OVERHEAD];
    let longest = chancery_sealing::seal(&release, &context, &longest).unwrap();
    room.litware.does(&storing(&longest)).await;
    // Another's dataset, and a body that names the digest itself.
    room.contosso.refused(&store, 403, "not_the_dataset_owner").await;
    let mut named_twice = store.clone();
    named_twice.body["ciphertext"] = json!(Digest::of(&sealed).to_string());
    room.litware.refused(&named_twice, 422, "invalid_content").await;
    room.finish().await;
}

#[tokio::test]
async fn keys_are_announced_once_and_say_that_no_hardware_holds_them() {
    let room = Room::at(Stage::Created).await;
    let first = room.announced().await;
    let again = room.announced().await;
    assert_eq!(first.json, again.json);
    assert_eq!(first.text("/platform"), "insecure-virtual");
    let events = room.service.events(room.id).await;
    let announced = events.iter().filter(|it| matches!(it, Event::AttestationRecorded(_)));
    assert_eq!(announced.count(), 1);
    let view = room.litware.reads(&room.path("")).await;
    assert_eq!(view.text("/keys/platform"), "insecure-virtual");
    assert_eq!(view.text("/keys/release_key"), first.text("/release_key"));
    room.finish().await;
}

fn part(token: &str, at: usize) -> Json {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_says_what_its_entry_says_and_verifies_as_the_discovery_tells() {
    let room = Room::secretive().await;
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    let minted = executor.does(&room.asks_token(&executor)).await;
    assert_eq!(minted.kinds(), ["TokenMinted", "AttestationRecorded"]);
    let given = executor.person.reads(&room.given_path(minted.number("/position"))).await;
    assert_eq!(given.text("/kind"), "token");
    let token = String::from_utf8(room.opens(&given)).unwrap();

    let discovery = room.service.send(Call::get("/.well-known/openid-configuration")).await.ok();
    assert_eq!(discovery.text("/issuer"), ISSUER);
    let keys = room.service.send(Call::get("/.well-known/jwks.json")).await.ok();
    let header = part(&token, 0);
    let algorithms = discovery.list("/id_token_signing_alg_values_supported");
    assert_eq!(algorithms, [header["alg"].clone()], "the algorithm is the one that is announced");
    let key = keys.list("/keys").iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let public = PublicKey::new(Algorithm::Es256, &point).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(signed.as_bytes(), &signature).unwrap();

    let events = room.service.events(room.id).await;
    let at = usize::try_from(minted.number("/position")).unwrap();
    let Event::TokenMinted(event) = &events[at] else { panic!("{:?}", events[at]) };
    let claims = part(&token, 1);
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], AUDIENCE);
    assert_eq!(claims["sub"], event.subject);
    let owner = room.litware_id();
    let subject = format!("{}/{owner}/{}/{}", room.id, room.orders, room.run);
    assert_eq!(claims["sub"], subject);
    let times = ["iat", "nbf", "exp"].map(|name| claims[name].as_u64().unwrap());
    assert_eq!(times[2], event.expires_ms / 1000);
    assert_eq!((times[1], times[2] - times[0]), (times[0], LIFE_MS / 1000));
    assert_eq!(claims["jti"], given.parsed::<Digest>("/leaf").to_hex());
    assert_eq!(public.id(), event.token_key);
    room.finish().await;
}
