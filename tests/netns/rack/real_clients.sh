#!/bin/bash
# Clients from Debian's packages against a running rack: udhcpc of busybox, tftp-hpa, curl. They are
# unpacked below build/debs, never installed, and run in the lab's segment.
SLIPWAY_LAB=${SLIPWAY_LAB:-slipway-clients}
. "$(dirname "$0")/../../e2e/e2e.sh"
. "$(dirname "$0")/clients.sh"
busybox=$(client_program busybox-static bin/busybox) || { echo "FAILED: no busybox"; exit 1; }
tftp=$(client_program tftp-hpa usr/bin/tftp) || { echo "FAILED: no tftp-hpa"; exit 1; }
e2e_lab
in_rack="ip netns exec $ns_rack"

segment_client 52:54:00:55:00:01

check "udhcpc gets a lease" lease_from
check "from the range" gave ip '10\.77\.0\.1[0-9][0-9]'
check "by this rack" gave serverid '10\.77\.0\.1'
address=$(sed -n 's/^ip=//p' "$lab/lease.bound")
check "the lease time of the subnet" gave lease 600
check "the same client gets the same address" lease_from
check "namely $address" gave ip "$address"
check "a PXE BIOS gets a lease" lease_from -V PXEClient:Arch:00000:UNDI:002001 -x 0x5d:0000
check "the same address again" gave ip "$address"
check "and the BIOS loader" gave boot_file 'loaders/undionly\.kpxe'
check "a shorter lease while in firmware" gave lease 120
check "x64 UEFI over TFTP" lease_from -V PXEClient:Arch:00007:UNDI:003016 -x 0x5d:0007
check "gets the UEFI loader" gave boot_file 'loaders/snponly\.efi'
check "x64 UEFI over HTTP" lease_from -V HTTPClient:Arch:00016:UNDI:003016 -x 0x5d:0010
check "gets a URL" gave boot_file 'http://10\.77\.0\.1:5248/files/loaders/snponly\.efi'
check "asking for a foreign address ends in ours" lease_from -r 192.168.77.1
check "the same one" gave ip "$address"

check "an address for the client" ip -n "$ns_segment" address add "$address/24" dev client0
fetch() { $in_segment timeout 30 "$tftp" -m octet 10.77.0.1 -c get "$1" "$lab/fetched"; }
fetched_is() { cmp "$lab/fetched" "$1"; }
check "tftp-hpa fetches a loader" fetch loaders/undionly.kpxe
check "whole" fetched_is "$images/loaders/undionly.kpxe"
check "with backslashes and a leading slash" fetch '/loaders\undionly.kpxe'
check "whole again" fetched_is "$images/loaders/undionly.kpxe"
refused() { $in_segment timeout 30 "$tftp" -m octet 10.77.0.1 -c "$@" 2>&1 | grep -q 'Error code'; }
check "a missing file is an error" refused get no/such/file "$lab/fetched"
check "a path out of the table is an error" refused get ../../etc/passwd "$lab/fetched"
check "writing is refused" refused put "$udhcpc_script" loaders/undionly.kpxe

url=http://10.77.0.1:5248
get() { $in_segment curl --silent --max-time 20 "$@"; }
status_is() { local want=$1; shift; [ "$(get -o /dev/null -w '%{http_code}' "$@")" = "$want" ]; }
check "curl fetches a kernel" get --fail -o "$lab/fetched" "$url/files/launcher/vmlinuz"
check "whole" fetched_is "$images/launcher/vmlinuz"
check "a range" bash -c "[ \"\$($in_segment curl --silent -r 100-199 $url/files/launcher/vmlinuz |
  cmp -n 100 -i 0:100 - $images/launcher/vmlinuz && echo same)\" = same ]"
check "HEAD tells the length" bash -c "$in_segment curl --silent --head $url/files/launcher/vmlinuz |
  grep -qi \"^content-length: \$(stat -c %s $images/launcher/vmlinuz)\""
check "resuming after a cut" bash -c "head -c 1000000 $images/launcher/vmlinuz > $lab/fetched &&
  $in_segment curl --silent --fail -C - -o $lab/fetched $url/files/launcher/vmlinuz"
check "gives the whole" fetched_is "$images/launcher/vmlinuz"
check "the boot script is for the peer's machine" bash -c "$in_segment curl --silent $url/boot/ipxe |
  grep -q 'BOOTIF=01-52-54-00-55-00-01'"
check "unknown names are 404" status_is 404 "$url/files/launcher/nothing"
check "traversal is refused" status_is 400 --path-as-is "$url/files/../../etc/passwd"
check "POST to a file is 405" status_is 405 -X POST -d x "$url/files/launcher/vmlinuz"
check "an inventory without a token is 401" status_is 401 -d '{}' "$url/machine/inventory"
check "a made-up token is 401" \
  status_is 401 -H 'Authorization: Bearer c2xpcHdheQ' -d '{}' "$url/machine/inventory"
token=$(get "$url/boot/ipxe" | grep -o 'slipway.token=[A-Za-z0-9_-]*' | head -1 | cut -d= -f2)
check "the script's token is taken" \
  status_is 202 -H "Authorization: Bearer $token" -d '{"format":1}' "$url/machine/inventory"
check "the same again is answered the same" \
  status_is 202 -H "Authorization: Bearer $token" -d '{"format":1}' "$url/machine/inventory"
check "the script again and again is a loop, and says so" bash -c "for i in \$(seq 14); do
  $in_segment curl --silent $url/boot/ipxe | grep -q 'wait (boot-loop)' && exit 0; done; exit 1"
check "which the region hears of as an event" wait_for 10 bash -c "$api_in curl --silent \
  --header @$lab/authorization '$region_api/v1/events?limit=500' | grep -q boot-loop"
check "nothing was allocated on a sealed shard" \
  bash -c "$in_rack curl --silent --unix-socket $lab/rack/rack.sock http://rack/metrics |
    grep -q '^slipway_sealed_allocations_total 0'"
check "the lease is known to the region" wait_for 10 bash -c "$api_in curl --silent \
  --header @$lab/authorization $region_api/v1/leases | grep -q $address"
