//! librdkafka's own mock cluster, with brokers that go and come back.

use super::settings;
use crate::audit::sink::Sink;
use crate::audit::sink::conformance::{Place, Run, arrived, conforms, is_complete_and_in_order};
use crate::audit::sink::kafka::KafkaSink;
use crate::audit::sink::settings::KafkaSettings;
use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

const TOPIC: &str = "locum-audit";

struct Cluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
    /// What a consumer of all partitions read, as it reads on.
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Cluster {
    fn new() -> Self {
        let cluster = MockCluster::new(1).expect("a cluster");
        cluster.create_topic(TOPIC, 3, 1).expect("a topic");
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "auditors")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[TOPIC]).expect("a subscription");
        let seen = Arc::<Mutex<Vec<u64>>>::default();
        let told = Arc::downgrade(&seen);
        thread::spawn(move || {
            while let Some(told) = told.upgrade() {
                // While the broker is down there are errors only.
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
                    continue;
                };
                let line = message.payload().expect("a payload");
                let record: serde_json::Value = serde_json::from_slice(line).expect("JSON");
                let headers = message.headers().expect("headers");
                let uid = headers.iter().find(|it| it.key == "uid").expect("a uid");
                let named = record["metadata"]["uid"].as_str().expect("a uid");
                assert_eq!(uid.value, Some(named.as_bytes()));
                told.lock().push(record["seq"].as_u64().expect("seq"));
            }
        });
        Self { cluster, seen }
    }
}

impl Place for Cluster {
    fn sink(&self, _: &Path) -> Box<dyn Sink> {
        let settings = KafkaSettings {
            brokers: self.cluster.bootstrap_servers(),
            topic: TOPIC.into(),
            key: "locum".into(),
            options: Vec::new(),
            timeout: Duration::from_secs(3),
        };
        Box::new(KafkaSink::new("kafka", &settings).expect("settings"))
    }

    fn received(&self) -> Vec<u64> {
        self.seen.lock().clone()
    }
}

#[test]
#[ignore = "tests/receivers/run.sh kafka"]
fn a_cluster_conforms() {
    conforms(&Cluster::new());
}

#[test]
#[ignore = "tests/receivers/run.sh kafka"]
fn a_broker_that_goes_and_comes_back() {
    let place = Cluster::new();
    let dir = tempfile::tempdir().expect("dir");
    let run = Run::with(dir.path(), &place, settings(), 256 << 10);
    run.exchanges(500);
    run.wait("all arrive", Run::has_all);
    arrived(&place, place.last(dir.path()));
    place.cluster.broker_down(1).expect("down");
    // The mock keeps the newest 5 MB of a partition only.
    run.exchanges(1200);
    run.wait("it is seen as away", |run| {
        run.counters.down.load(Ordering::SeqCst)
    });
    place.cluster.broker_up(1).expect("up");
    run.wait("all arrive after it came back", Run::has_all);
    let last = place.last(dir.path());
    let received = arrived(&place, last);
    is_complete_and_in_order(&received, last);
    let each: HashSet<_> = received.iter().collect();
    println!(
        "Kafka (mock)    broker down, up  {last} records, {} arrived by id, {} repeated, 0 lost, order kept",
        each.len(),
        received.len() - each.len()
    );
    assert_eq!(each.len() as u64, last);
    run.end(Duration::from_secs(5));
}
