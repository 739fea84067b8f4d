// What a boot trace shows of DHCP: what a machine asked, what it was told, and silence with its
// reason. Only what boots makes steps: plain clients would fill the trace with renewals. A question
// (Explain) makes none.
#include "dataplane/boot/loaders.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/exchange.h"
#include "dataplane/dhcp/exchange6.h"

namespace slipway::dhcp {
namespace {

struct StepWords {
  boot::StepKind kind{};
  std::string_view name;
  bool ok = true;
};

// `wanted`: what the client asks for.
template <typename Exchange>
void AddStepTo(boot::StepGate& gate, Exchange& exchange, const StepWords& words,
               const IpAddress& wanted) {
  if (!exchange.boot.firmware.boots() || exchange.explaining()) {
    return;
  }
  const bool asked =
      words.kind == boot::StepKind::kDhcpDiscover || words.kind == boot::StepKind::kDhcpRequest;
  boot::BootStep step;
  step.mac = exchange.client.mac;
  step.machine = exchange.client.machine;
  step.vlan = exchange.vlan->id;
  step.address = asked ? wanted : exchange.effects.ticket.address;
  step.realtime = exchange.now.wall;
  step.kind = words.kind;
  (void)step.name.Assign(words.name);
  step.bytes = asked ? exchange.packet_bytes : exchange.effects.reply.bytes;
  step.duration = exchange.asked_for;
  step.ok = words.ok;
  if (gate.Admit(step, exchange.now.instant)) {
    (void)exchange.effects.steps.push_back(step);
  }
}

}  // namespace

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
  AddStepTo(step_gate_, exchange, {.kind = kind, .name = name, .ok = ok},
            WantedAddress(exchange.message));
}

void Dhcp6Engine::TraceArrival(Exchange& exchange) noexcept {
  if (!exchange.boot.firmware.boots() || exchange.explaining()) {
    return;
  }
  const Message6& message = exchange.message;
  exchange.asked_for =
      step_gate_.SinceFirst(exchange.client.mac, message.xid, exchange.now.instant);
  const bool solicit = message.type == MessageType6::kSolicit;
  if (solicit || message.type == MessageType6::kRequest || message.type == MessageType6::kRenew ||
      message.type == MessageType6::kRebind) {
    AddStep(exchange, solicit ? boot::StepKind::kDhcpDiscover : boot::StepKind::kDhcpRequest,
            boot::Describe(exchange.boot.firmware), true);
  }
}

void Dhcp6Engine::TraceSilence(Exchange& exchange, Reason6 reason) noexcept {
  const MessageType6 type = exchange.message.type;
  if (type != MessageType6::kRelease && type != MessageType6::kDecline) {
    // A client that took another server's offer is well served.
    AddStep(exchange, boot::StepKind::kDhcpSilent, ToString(reason),
            reason == Reason6::kOtherServer);
  }
}

void Dhcp6Engine::AddStep(Exchange& exchange, boot::StepKind kind, std::string_view name,
                          bool ok) noexcept {
  AddStepTo(step_gate_, exchange, {.kind = kind, .name = name, .ok = ok}, exchange.wanted());
}

}  // namespace slipway::dhcp
