//! What the number of flows costs: packets of that many flows in any order are read, and the flow of
//! each is found, as the engine does it with each batch of packets that it takes in.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use sio::net::build::{Path, Template, Transport};
use sio::net::checksum::Sum;
use sio::net::flow::{Endpoint, FlowKey};
use sio::net::parse::{Datagram, parse};
use sio::net::table::FlowTable;
use sio::sys::memory::{prefer_large_pages, prefetch};
use sio_benches::record::Case;
use sio_benches::series::{Measure, Sample, Series};

use crate::table;

const COUNTS: [u32; 7] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];
/// As many at once as a port gives.
const BATCH: u32 = 64;
const LOOKS: u32 = 31_250 * BATCH;
const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

fn remote(number: u32) -> Endpoint {
    Endpoint::new(Ipv4Addr::from_bits(0xac10_0000 | number >> 4), 4000 + (number & 15) as u16)
}

/// A packet of one flow, into which the remote end of others is put.
struct Packet(Vec<u8>);

impl Packet {
    fn new() -> Self {
        let mut template = Template::new(&Path {
            source: remote(0),
            destination: Endpoint::new(LOCAL, 53),
            own_station: [2, 0, 0, 0, 0, 1],
            next_station: [2, 0, 0, 0, 0, 2],
            vlan: None,
            traffic_class: 0,
            hop_limit: 64,
        });
        let payload = [1; 64];
        let mut sum = Sum::default();
        sum.add(&payload);
        let header = template.header(payload.len(), Transport::Payload(sum));
        Self([header, &payload].concat())
    }

    fn parsed(&self) -> Datagram {
        parse(&self.0).expect("a datagram")
    }

    fn is_from(&mut self, number: u32) {
        const SUM: usize = 14 + 10;
        const SOURCE: usize = 14 + 12;
        const PORT: usize = 14 + 20;
        let Endpoint { address, port } = remote(number);
        if let std::net::IpAddr::V4(address) = address {
            self.0[SOURCE..SOURCE + 4].copy_from_slice(&address.octets());
        }
        self.0[PORT..PORT + 2].copy_from_slice(&port.to_be_bytes());
        self.0[SUM..SUM + 2].fill(0);
        let mut sum = Sum::default();
        sum.add(&self.0[14..34]);
        self.0[SUM..SUM + 2].copy_from_slice(&sum.checksum().to_be_bytes());
    }
}

/// Nanoseconds for each packet: with looking for its flow, and without.
fn measure(table: Option<&FlowTable<u32>>, count: u32) -> f64 {
    let (mut packet, mut state) = (Packet::new(), 2006u32);
    let mut batch = [(packet.parsed().ends, 0); BATCH as usize];
    let begin = thread_time();
    for _ in 0..LOOKS / BATCH {
        for (ends, number) in &mut batch {
            // Not the order in which they were entered.
            state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            *number = ((u64::from(state) * u64::from(count)) >> 32) as u32;
            packet.is_from(*number);
            *ends = packet.parsed().ends;
            if let Some(table) = table {
                prefetch(table.place(ends));
            }
        }
        for (ends, number) in &batch {
            if let Some(table) = table {
                assert_eq!(table.find(ends), Some(*number));
            }
            black_box(ends);
        }
    }
    (thread_time() - begin).as_secs_f64() / f64::from(LOOKS) * 1e9
}

/// The processor time of this thread: others may want the processor too.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a local.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// `packet_nanoseconds`: what libsio and the kernel need for a packet of one flow in all.
pub fn case(packet_nanoseconds: f64, rounds: usize) -> Case {
    let name = |count: u32| if count == 1 { "1 flow".to_owned() } else { format!("{count} flows") };
    let mut series: Vec<Series> =
        COUNTS.iter().map(|&count| Series::new(name(count), count > 1)).collect();
    for _ in 0..rounds {
        let mut first = None;
        for (&count, series) in COUNTS.iter().zip(&mut series) {
            let mut table = FlowTable::with(7, prefer_large_pages);
            for number in 0..count {
                let key = FlowKey::connected(Endpoint::new(LOCAL, 53), remote(number));
                assert!(table.insert(&key, number));
            }
            let bare = measure(None, count);
            let cost = (measure(Some(&table), count) - bare).max(0.0);
            let more = cost - *first.get_or_insert(cost);
            let sample = Sample::default()
                .with(Measure::Cpu, cost)
                .with(Measure::Together, packet_nanoseconds + more);
            series.push(Ok::<_, String>(sample));
        }
    }
    table::flows_case(rounds, &series)
}
