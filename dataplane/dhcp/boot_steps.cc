// What a boot trace shows of DHCP: what a machine asked, what it was told, and silence with its
// reason. Only what boots makes steps: plain clients would fill the trace with renewals. A question
// (Explain) makes none.
#include "dataplane/boot/loaders.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/exchange.h"

namespace slipway::dhcp {

void Dhcp4Engine::TraceArrival(Exchange& exchange) noexcept {
  if (!exchange.boot.firmware.boots() || exchange.explaining()) {
    return;
  }
  const Message& message = exchange.message;
  exchange.asked_for =
      step_gate_.SinceFirst(exchange.client.mac, message.xid, exchange.now.instant);
  if (message.type != MessageType::kDiscover && message.type != MessageType::kRequest) {
    return;
  }
  const bool discover = message.type == MessageType::kDiscover;
  AddStep(exchange, discover ? boot::StepKind::kDhcpDiscover : boot::StepKind::kDhcpRequest,
          boot::Describe(exchange.boot.firmware), true);
}

void Dhcp4Engine::TraceSilence(Exchange& exchange, Reason reason) noexcept {
  const MessageType type = exchange.message.type;
  const bool wants_answer = type == MessageType::kDiscover || type == MessageType::kRequest ||
                            type == MessageType::kInform;
  if (wants_answer) {
    // A client that took another server's offer is well served.
    AddStep(exchange, boot::StepKind::kDhcpSilent, ToString(reason),
            reason == Reason::kOtherServer);
  }
}

void Dhcp4Engine::AddStep(Exchange& exchange, boot::StepKind kind, std::string_view name,
                          bool ok) noexcept {
  if (!exchange.boot.firmware.boots() || exchange.explaining()) {
    return;
  }
  const bool asked = kind == boot::StepKind::kDhcpDiscover || kind == boot::StepKind::kDhcpRequest;
  boot::BootStep step;
  step.mac = exchange.client.mac;
  step.machine = exchange.client.machine;
  step.vlan = exchange.vlan->id;
  step.address = asked ? WantedAddress(exchange.message) : exchange.effects.ticket.address;
  step.realtime = exchange.now.wall;
  step.kind = kind;
  (void)step.name.Assign(name);
  step.bytes = asked ? exchange.packet_bytes : exchange.effects.reply.bytes;
  step.duration = exchange.asked_for;
  step.ok = ok;
  if (step_gate_.Admit(step, exchange.now.instant)) {
    (void)exchange.effects.steps.push_back(step);
  }
}

}  // namespace slipway::dhcp
