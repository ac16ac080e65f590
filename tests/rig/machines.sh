#!/usr/bin/env bash
# Real VPSs on this machine: each with PID, mount, network and cgroup namespaces of its own, systemd as PID 1, journald,
# polkit and OpenSSH, reachable at 10.77.N.2. Linux, root; takes debootstrap and iproute2 from Debian's packages.
#   machines.sh prepare DIR    the file system they share, and the key DIR/id of all logins (two minutes, once)
#   machines.sh boot DIR N     boots machine N (1 to 250), returns when its sshd answers; again after a kill: a reboot
#   machines.sh kill DIR N     ends it as a power cut does
#   machines.sh halt DIR       ends and removes all of them; the shared file system stays
# Logins: `root`; `ward`, which has nothing but the bus and may only start and restart rachel8; `rachel`, which may sudo the
# exact commands; `plain`, which may read and nothing else.
set -euo pipefail
do=$1 dir=$2 n=${3:-} root=$2/root work=$2/vps${3:-}

prepare() {
  command -v debootstrap >/dev/null && command -v ip >/dev/null ||
    { apt-get update -qq && apt-get install -qqy debootstrap iproute2; } >/dev/null
  mkdir -p "$dir"
  [ -f "$dir/id" ] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/id"
  [ -f "$root/prepared" ] && return
  rm -rf "$root"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,procps bookworm "$root" >/dev/null
  # By apt, as debootstrap does not know which of its alternatives it needs.
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -qqy --no-install-recommends polkitd >/dev/null 2>&1
  local login
  for login in rachel plain ward; do
    chroot "$root" useradd -m -s /bin/sh -p '*' "$login"
    chroot "$root" usermod -aG systemd-journal "$login"
  done
  for login in root home/rachel home/plain home/ward; do
    install -d -m 700 "$root/$login/.ssh"
    install -m 600 "$dir/id.pub" "$root/$login/.ssh/authorized_keys"
    chroot "$root" chown -R "$(basename "$login"):" "/$login/.ssh"
  done
  sed -i 's|^|restrict,command="/usr/bin/systemd-stdio-bridge" |' "$root/home/ward/.ssh/authorized_keys"
  mkdir -p "$root/etc/polkit-1/rules.d"
  cat > "$root/etc/polkit-1/rules.d/50-ward.rules" <<'R'
polkit.addRule(function (action, subject) {
  if (action.id == 'org.freedesktop.systemd1.manage-units' && subject.user == 'ward' &&
      action.lookup('unit') == 'rachel8.service' &&
      ['start', 'restart', 'reset-failed'].indexOf(action.lookup('verb')) >= 0)
    return polkit.Result.YES;
});
R
  cat > "$root/etc/sudoers.d/rachel" <<'R'
rachel ALL=(root) NOPASSWD: /usr/bin/systemctl is-active rachel8, /usr/bin/systemctl restart rachel8, /usr/bin/systemctl reset-failed rachel8
R
  chmod 440 "$root/etc/sudoers.d/rachel"
  cat > "$root/lib/systemd/system/rachel8.service" <<'R'
[Unit]
Description=Rachel8 assistant
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
R
  chroot "$root" systemctl enable rachel8 ssh >/dev/null 2>&1
  # A container has no devices and no consoles.
  local unit
  for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-logind.service \
    systemd-modules-load.service sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount \
    getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  printf 'UsePAM no\nUseDNS no\nMaxStartups 1000\n' > "$root/etc/ssh/sshd_config.d/rig.conf"
  # Each machine makes its own at its first boot.
  rm -f "$root"/etc/ssh/ssh_host_*
  touch "$root/prepared"
}

# Runs in the new namespaces, and becomes PID 1.
begin() {
  local r=$work/merged file
  mount --make-rprivate /
  mount -t proc proc "$r/proc"
  mount -t sysfs -o ro sysfs "$r/sys"
  mount -t tmpfs tmpfs "$r/sys/fs/cgroup"
  mkdir "$r/sys/fs/cgroup/systemd"
  mount -t cgroup -o none,name=systemd cgroup "$r/sys/fs/cgroup/systemd"
  mount -t tmpfs -o mode=755 tmpfs "$r/run"
  mount -t tmpfs tmpfs "$r/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$r/dev"
  for file in null zero full random urandom tty; do touch "$r/dev/$file"; mount --bind "/dev/$file" "$r/dev/$file"; done
  mkdir "$r/dev/pts" "$r/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$r/dev/pts"
  ln -s pts/ptmx "$r/dev/ptmx"; ln -s /proc/self/fd "$r/dev/fd"
  ln -s /proc/self/fd/0 "$r/dev/stdin"; ln -s /proc/self/fd/1 "$r/dev/stdout"; ln -s /proc/self/fd/2 "$r/dev/stderr"
  hostname "vps$n"; echo "vps$n" > "$r/etc/hostname"; printf '127.0.0.1 localhost\n127.0.1.1 vps%s\n' "$n" > "$r/etc/hosts"
  cd "$r"; mkdir -p .old; pivot_root . .old; umount -l /.old; rmdir /.old 2>/dev/null || true
  export container=rig
  exec /lib/systemd/systemd --system --log-target=journal >/dev/null 2>&1
}

# within SECONDS COMMAND…: until it succeeds
within() {
  local until=$((SECONDS + $1)); shift
  until "$@"; do [ $SECONDS -lt $until ] || return 1; sleep 0.1; done
}

boot() {
  # systemd takes four or five inotify instances, and a kernel has 128 of them at first.
  [ "$(cat /proc/sys/fs/inotify/max_user_instances)" -ge 1024 ] || sysctl -qw fs.inotify.max_user_instances=1024 || true
  mkdir -p "$work"/{upper,work,merged}
  mountpoint -q "$work/merged" ||
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" "$work/merged"
  [ -f "$work/upper/etc/ssh/ssh_host_ed25519_key" ] || chroot "$work/merged" ssh-keygen -A >/dev/null
  local cgroup=/sys/fs/cgroup/systemd/vps$n outer inner
  mkdir -p "$cgroup"
  ( echo "$BASHPID" > "$cgroup/cgroup.procs"
    exec setsid unshare --pid --mount --uts --ipc --net --cgroup --fork bash "$0" begin "$dir" "$n" ) </dev/null >"$work/log" 2>&1 &
  outer=$!
  has_child() { inner=$(pgrep -P "$outer" | head -1); [ -n "$inner" ]; }
  is_systemd() { [ "$(cat "/proc/$inner/comm" 2>/dev/null)" = systemd ]; }
  answers() { (exec 3<>"/dev/tcp/10.77.$n.2/22") 2>/dev/null; }
  within 60 has_child && within 60 is_systemd || { echo "vps$n has no systemd; see $work/log" >&2; exit 1; }
  echo "$inner" > "$work/pid"
  ip link del "vps$n" 2>/dev/null || true
  ip link add "vps$n" type veth peer name eth0 netns "$inner"
  ip addr add "10.77.$n.1/24" dev "vps$n"; ip link set "vps$n" up
  nsenter -t "$inner" -n sh -c "ip link set lo up; ip addr add 10.77.$n.2/24 dev eth0; ip link set eth0 up"
  within 120 answers || { echo "sshd of vps$n does not answer" >&2; exit 1; }
}

end() { # N
  local pid; pid=$(cat "$dir/vps$1/pid" 2>/dev/null) || return 0
  kill -KILL "$pid" 2>/dev/null || true
  gone() { ! [ -d "/proc/$pid" ]; }
  within 60 gone
}

halt() {
  local machine one
  for machine in "$dir"/vps[0-9]*; do
    [ -d "$machine" ] || continue
    one=${machine##*vps}
    end "$one"
    umount -l "$machine/merged" 2>/dev/null || true
    ip link del "vps$one" 2>/dev/null || true
    find "/sys/fs/cgroup/systemd/vps$one" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    rm -rf "$machine"
  done
}

case $do in
  prepare) prepare ;;
  begin) begin ;;
  boot) boot ;;
  kill) end "$n" ;;
  halt) halt ;;
  *) echo "machines.sh prepare|boot|kill|halt DIR [N]" >&2; exit 2 ;;
esac
