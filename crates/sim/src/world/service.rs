//! One turn of a host: its machine, its stack and its applications run until nothing moves any more.

use stead_wire::time::{Duration, Instant};

use super::World;
use crate::bare;
use crate::host::Role;
use crate::machine::Exits;
use crate::network::HostId;
use crate::traffic::Side;

/// Whatever wants to run again at once runs after this long, so that the world goes on.
const RESTLESS: Duration = Duration::from_micros(100);

impl World {
    /// Lets everything on a host run until nothing moves any more.
    pub(super) fn service(&mut self, id: HostId) {
        if !self.hosts[id.0].is_awake() {
            self.hosts[id.0].wake = None;
            return;
        }
        self.fire(id);
        let mut wanted;
        loop {
            let moved = self.drain_machine(id);
            wanted = self.run_stack(id);
            if !self.drain_stack(id) && !moved {
                break;
            }
        }
        let now = self.now;
        let host = &mut self.hosts[id.0];
        let stack = host.stack.poll_timeout(now).map(|at| if at > now { at } else { now + RESTLESS });
        host.wake =
            [host.machine_wake.filter(|_| host.pause.is_none()), stack, wanted].into_iter().flatten().min();
    }

    /// Tells the machine that its time has come.
    fn fire(&mut self, id: HostId) {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        if host.machine_runs()
            && host.machine_wake.is_some_and(|at| at <= now)
            && let Some(machine) = &mut host.machine
        {
            machine.handle_timeout(now);
        }
    }

    /// Takes everything out of the machine; whether there was anything.
    fn drain_machine(&mut self, id: HostId) -> bool {
        let now = self.now;
        let host = &mut self.hosts[id.0];
        if !host.machine_runs() {
            return false;
        }
        let Some(machine) = &mut host.machine else { return false };
        let mut exits = Exits::default();
        let wake = machine.drain(&mut exits);
        host.machine_wake = wake.map(|at| if at > now { at } else { now + RESTLESS });
        let moved = !exits.is_empty();
        for word in exits.words {
            self.told(id, word);
        }
        for packet in exits.opened {
            self.audit.packet_opened(id, &packet, now);
            self.hosts[id.0].stack.handle_packet(packet);
        }
        for packet in exits.made {
            self.hosts[id.0].stack.handle_packet(packet);
        }
        for transmit in exits.transmits {
            self.transmit(id, transmit);
        }
        moved
    }

    /// Lets the stack and the applications run; when these want to run again.
    fn run_stack(&mut self, id: HostId) -> Option<Instant> {
        let now = self.now;
        let stack = &mut self.hosts[id.0].stack;
        stack.handle_timeout(now);
        let mut wanted: Option<Instant> = None;
        for running in self.traffic.iter_mut().filter(|running| running.opened) {
            let ends = [(running.plan.to, Side::Server), (running.plan.from, Side::Client)];
            for (_, side) in ends.into_iter().filter(|(host, _)| *host == id) {
                let next = running.flow.drive(side, stack, now);
                wanted = [wanted, next].into_iter().flatten().min();
            }
        }
        stack.handle_timeout(now);
        wanted.map(|at| if at > now { at } else { now + RESTLESS })
    }

    /// Takes the stack's packets to the machine, or to the network; whether there were any.
    fn drain_stack(&mut self, id: HostId) -> bool {
        let mut moved = false;
        while let Some(packet) = self.hosts[id.0].stack.poll_packet() {
            moved = true;
            if self.hosts[id.0].plan.role == Role::Bare {
                if let Some(datagram) = bare::from_packet(&packet) {
                    self.send(id, datagram);
                }
            } else {
                self.hand_over(id, packet);
            }
        }
        moved
    }
}
