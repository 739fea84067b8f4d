#include "dataplane/main/interface_monitor.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

// The kernel's NLMSG_ and RTA_ macros are C: their casts and sign changes are not ours to mend.
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-align"

namespace slipway::rack {
namespace {

using service::HostInterface;
using service::HostInterfaces;

constexpr std::size_t kDumpBufferBytes = 65536;

struct DumpRequest {
  nlmsghdr header;
  rtgenmsg body;
};

// A copy of an attribute's value; zeros where it is shorter.
template <typename T>
[[nodiscard]] T AttributeAs(const rtattr* attribute) noexcept {
  T value{};
  std::memcpy(&value, RTA_DATA(attribute),
              std::min<std::size_t>(sizeof(T), RTA_PAYLOAD(attribute)));
  return value;
}

[[nodiscard]] std::string_view AttributeText(const rtattr* attribute) noexcept {
  const auto* text = static_cast<const char*>(RTA_DATA(attribute));
  return {text, strnlen(text, RTA_PAYLOAD(attribute))};
}

// Walks attributes; the macros' arithmetic is kept in this one place.
template <typename Visit>
void ForEachAttribute(const rtattr* attribute, std::size_t bytes, Visit visit) {
  auto left = static_cast<int>(bytes);
  while (RTA_OK(attribute, left)) {
    visit(attribute);
    attribute = RTA_NEXT(attribute, left);
  }
}

void ReadVlanInfo(const rtattr* link_info, HostInterface& out) {
  bool is_vlan = false;
  ForEachAttribute(static_cast<const rtattr*>(RTA_DATA(link_info)), RTA_PAYLOAD(link_info),
                   [&](const rtattr* attribute) {
                     if (attribute->rta_type == IFLA_INFO_KIND) {
                       is_vlan = AttributeText(attribute) == "vlan";
                     } else if (attribute->rta_type == IFLA_INFO_DATA && is_vlan) {
                       ForEachAttribute(static_cast<const rtattr*>(RTA_DATA(attribute)),
                                        RTA_PAYLOAD(attribute), [&](const rtattr* inner) {
                                          if (inner->rta_type == IFLA_VLAN_ID) {
                                            out.vlan_id = AttributeAs<std::uint16_t>(inner);
                                          }
                                        });
                     }
                   });
}

void ReadLink(const nlmsghdr* message, HostInterfaces& out) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  if ((info->ifi_flags & IFF_LOOPBACK) != 0 || info->ifi_index <= 0) {
    return;
  }
  HostInterface link;
  link.index = static_cast<std::uint32_t>(info->ifi_index);
  link.up = (info->ifi_flags & IFF_UP) != 0;
  std::uint32_t parent_index = 0;
  ForEachAttribute(IFLA_RTA(info), IFLA_PAYLOAD(message), [&](const rtattr* attribute) {
    switch (attribute->rta_type) {
      case IFLA_IFNAME:
        link.name = AttributeText(attribute);
        break;
      case IFLA_LINK:
        parent_index = AttributeAs<std::uint32_t>(attribute);
        break;
      case IFLA_LINKINFO:
        ReadVlanInfo(attribute, link);
        break;
      case IFLA_ADDRESS:
        if (RTA_PAYLOAD(attribute) == 6) {
          link.mac = AttributeAs<MacAddress>(attribute);
        }
        break;
      default:
        break;
    }
  });
  if (link.vlan_id != 0) {
    for (const HostInterface& other : out) {
      if (other.index == parent_index) {
        link.parent = other.name;
      }
    }
  }
  // Beyond the limit an interface is not reported; it could not be served either.
  (void)out.push_back(link);
}

void ReadAddress(const nlmsghdr* message, HostInterfaces& out) {
  const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(message));
  IpAddress local;
  ForEachAttribute(IFA_RTA(info), IFA_PAYLOAD(message), [&](const rtattr* attribute) {
    // IFA_LOCAL is the interface's own address; IFA_ADDRESS may be the peer's.
    const bool wanted =
        attribute->rta_type == IFA_LOCAL || (attribute->rta_type == IFA_ADDRESS && !local.is_set());
    if (!wanted) {
      return;
    }
    if (info->ifa_family == AF_INET && RTA_PAYLOAD(attribute) == 4) {
      const auto bytes = AttributeAs<std::array<std::byte, 4>>(attribute);
      local = IpAddress(Ipv4Address{LoadBig<std::uint32_t>(bytes.data())});
    } else if (info->ifa_family == AF_INET6 && RTA_PAYLOAD(attribute) == 16) {
      local = IpAddress(AttributeAs<Ipv6Address>(attribute));
    }
  });
  for (HostInterface& link : out) {
    if (local.is_set() && link.index == info->ifa_index) {
      (void)link.addresses.push_back({local, info->ifa_prefixlen});
    }
  }
}

[[nodiscard]] Result<int> OpenNetlink(std::uint32_t groups, int flags) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);
  if (fd < 0) {
    return FailErrno(errno);
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    (void)close(fd);
    return FailErrno(error);
  }
  return fd;
}

[[nodiscard]] Result<void> RequestDump(int fd, std::uint16_t type) {
  DumpRequest request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.body));
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.rtgen_family = AF_UNSPEC;
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) {
    return FailErrno(errno);
  }
  return {};
}

// Reads one dump to its end. The kernel is trusted; lengths are checked by NLMSG_OK all the same.
[[nodiscard]] Result<void> ReadDump(int fd, std::uint16_t type, HostInterfaces& out) {
  SLIP_TRY(RequestDump(fd, type));
  alignas(nlmsghdr) std::array<char, kDumpBufferBytes> buffer;
  while (true) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FailErrno(errno);
    }
    auto left = static_cast<std::uint32_t>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) {
        return {};
      }
      if (message->nlmsg_type == NLMSG_ERROR) {
        return FailErrno(-static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error);
      }
      if (message->nlmsg_type == RTM_NEWLINK) {
        ReadLink(message, out);
      } else if (message->nlmsg_type == RTM_NEWADDR) {
        ReadAddress(message, out);
      }
    }
  }
}

}  // namespace

Result<InterfaceMonitor> InterfaceMonitor::Create() {
  const int notify =
      SLIP_TRY(OpenNetlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, SOCK_NONBLOCK));
  const Result<int> dump = OpenNetlink(0, 0);
  if (!dump) {
    (void)close(notify);
    return std::unexpected(dump.error());
  }
  return InterfaceMonitor(notify, *dump);
}

InterfaceMonitor::InterfaceMonitor(InterfaceMonitor&& other) noexcept
    : notify_fd_(std::exchange(other.notify_fd_, -1)),
      dump_fd_(std::exchange(other.dump_fd_, -1)) {}

InterfaceMonitor::~InterfaceMonitor() {
  for (const int fd : {notify_fd_, dump_fd_}) {
    if (fd >= 0) {
      (void)close(fd);
    }
  }
}

bool InterfaceMonitor::Drain() noexcept {
  std::array<char, 8192> buffer;
  bool seen = false;
  while (true) {
    const ssize_t got = recv(notify_fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      seen = true;
    } else if (got < 0 && errno == ENOBUFS) {
      seen = true;  // Notifications were lost: read everything again.
    } else if (!(got < 0 && errno == EINTR)) {
      return seen;
    }
  }
}

Result<void> InterfaceMonitor::Read(HostInterfaces& out) const {
  out.clear();
  SLIP_TRY(ReadDump(dump_fd_, RTM_GETLINK, out));
  SLIP_TRY(ReadDump(dump_fd_, RTM_GETADDR, out));
  std::sort(out.begin(), out.end(),
            [](const HostInterface& a, const HostInterface& b) { return a.index < b.index; });
  return {};
}

}  // namespace slipway::rack
