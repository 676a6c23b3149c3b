//! Two hosts, a cable, a tunnel over it, and each step measured there.

use std::time::Duration;

use stead_rig::traffic::timeline::micros;
use stead_rig::traffic::{FloodReport, Line, Probe, Range, RateFound, RoundTrips, Volley, highest_rate};
use stead_rig::usage::{Memory, machine_time, processor_time};
use stead_rig::{Driver, Host, RigError, Tunnel, World};

use super::iperf3;
use super::step::{Flow, Load, Size, Step, Times, WARM_UP};

/// What came of a step.
#[derive(Debug, serde::Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub(super) enum Measured {
    Latency {
        load: Load,
        probe: Probe,
        #[serde(flatten)]
        trips: RoundTrips,
    },
    Tcp {
        offload: bool,
        flow: Flow,
        #[serde(flatten)]
        flood: FloodReport,
        /// Processor time of the tunnel's programs at both ends meanwhile; none where the rig or the kernel carries.
        tunnel_processor_micros: Option<u64>,
        /// Processor time of the whole machine meanwhile, traffic and all.
        machine_processor_micros: u64,
    },
    Iperf3 {
        bits_per_second: u64,
    },
    Udp {
        packet_bytes: u64,
        payload_bytes: u64,
        size: Size,
        /// The largest packet that goes unfragmented.
        mtu: u32,
        #[serde(flatten)]
        found: RateFound,
    },
    Memory {
        /// That of the program that has more.
        #[serde(flatten)]
        larger: Memory,
        /// Each program's.
        programs: Vec<Memory>,
    },
}

/// A tunnel between two hosts on one cable.
#[derive(Debug)]
pub(super) struct Stage {
    tunnel: Tunnel,
    line: Line,
    ends: [Host; 2],
    _world: World,
}

impl Stage {
    /// Makes the hosts and starts the tunnel.
    pub(super) fn set_up(driver: Driver) -> Result<Self, RigError> {
        let world = World::new()?;
        let (near, far) = (world.host("near")?, world.host("far")?);
        world.cable((&near, "198.18.0.1/30"), (&far, "198.18.0.2/30"))?;
        let tunnel = Tunnel::establish(driver, &near, &far)?;
        let line = tunnel.line()?;
        Ok(Self { tunnel, line, ends: [near, far], _world: world })
    }

    pub(super) fn measure(&self, step: Step, times: Times) -> Result<Vec<Measured>, RigError> {
        match step {
            Step::Latency(load) => self.latency(load, times.probe),
            Step::Tcp { offload, flow } => Ok(vec![self.tcp(offload, flow, times.bulk)?]),
            Step::Iperf3 => {
                Ok(vec![Measured::Iperf3 { bits_per_second: iperf3::run(&self.line, times.bulk)? }])
            }
            Step::Udp(size) => Ok(vec![self.udp(size, times.volley)?]),
            Step::Memory => self.memory(),
        }
    }

    /// All kinds of round trips one after the other, under one and the same load.
    fn latency(&self, load: Load, time: Duration) -> Result<Vec<Measured>, RigError> {
        let _flowing = load.flood().map(|flood| flood.start(&self.line, WARM_UP)).transpose()?;
        let measure =
            |probe: Probe| probe.run(&self.line, time).map(|trips| Measured::Latency { load, probe, trips });
        Probe::ALL.into_iter().map(measure).collect()
    }

    fn tcp(&self, offload: bool, flow: Flow, time: Duration) -> Result<Measured, RigError> {
        for end in &self.ends {
            end.set_segmentation_offload(offload)?;
        }
        let flowing = flow.flood().start(&self.line, WARM_UP)?;
        let programs = self.tunnel.processes();
        let used = || programs.iter().map(|program| processor_time(*program)).sum::<Result<Duration, _>>();
        let (tunnel, machine) = (used()?, machine_time()?);
        let flood = flowing.measure(time)?;
        let (tunnel, machine) = (used()?.saturating_sub(tunnel), machine_time()?.saturating_sub(machine));
        Ok(Measured::Tcp {
            offload,
            flow,
            flood,
            tunnel_processor_micros: (!programs.is_empty()).then_some(micros(tunnel)),
            machine_processor_micros: micros(machine),
        })
    }

    fn udp(&self, size: Size, time: Duration) -> Result<Measured, RigError> {
        let range = Range::new(&self.line)?;
        let payload = size.payload() as usize;
        let found =
            highest_rate(|per_second| range.fire(Volley { size: payload, per_second, duration: time }))?;
        let (packet_bytes, payload_bytes) = (size.packet(), size.payload());
        Ok(Measured::Udp { packet_bytes, payload_bytes, size, mtu: range.mtu()?, found })
    }

    fn memory(&self) -> Result<Vec<Measured>, RigError> {
        let programs: Result<Vec<Memory>, RigError> =
            self.tunnel.processes().into_iter().map(Memory::of).collect();
        let programs = programs?;
        let larger = programs.iter().copied().max_by_key(|memory| memory.resident);
        Ok(larger.map(|larger| Measured::Memory { larger, programs }).into_iter().collect())
    }
}
