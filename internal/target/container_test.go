package target

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
)

// hexID is an id that begins so.
func hexID(begin string) string { return begin + strings.Repeat("0", idLength-len(begin)) }

const uid = "2b6c2f4e-7a4f-4f0e-9d2b-1c0de5a3f001"

// containerPaths has a path a line, and behind = the containers in it: RUNTIME:ID-OR-NAME@POD, ? for no
// runtime. $A and $B are ids, $U is a pod's uid, $V that with _ for -, $S the uid of a static pod.
const containerPaths = `
/ =
/user.slice/user-0.slice/session-1.scope =
/docker/$A = docker:$A
/docker/$A/init.scope = docker:$A
/system.slice/docker-$A.scope = docker:$A
/user.slice/user-1000.slice/user@1000.service/user.slice/docker-$A.scope = docker:$A
/docker/$A/docker/$B = docker:$A docker:$B
/kubepods/pod$U/$A/docker/$B = ?:$A@$U docker:$B
/system.slice/var-lib-docker-containers-$A-shm.mount =
/../docker-$A.scope = docker:$A
/kubepods/besteffort/pod$U/$A = ?:$A@$U
/kubepods/burstable/pod$S/$A = ?:$A@$S
/kubepods/besteffort/pod$U/crio-conmon-$A =
/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod$V.slice =
/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod$V.slice/cri-containerd-$A.scope = containerd:$A@$U
/kubepods.slice/kubepods-pod$V.slice/crio-$A.scope/container = cri-o:$A@$U
/kubepods.slice/kubepods-pod$V.slice/crio-conmon-$A.scope =
/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod$V.slice/docker-$A.scope = docker:$A@$U
/../../kubepods-besteffort-pod$V.slice/crio-$A.scope = cri-o:$A@$U
/system.slice/containerd.service/kubepods-pod$V.slice:cri-containerd:$A = containerd:$A@$U
/docker/$A/kubelet.slice/kubelet-kubepods-pod$V.slice/cri-containerd-$B.scope = docker:$A containerd:$B@$U
/machine.slice/libpod-$A.scope = podman:$A
/machine.slice/libpod-conmon-$A.scope =
/machine.slice/machine-libpod_pod_$A.slice/libpod-$B.scope = podman:$B@$A
/libpod_parent/libpod_pod_$A/libpod-$B = podman:$B@$A
/libpod_parent/$A/libpod-$B = podman:$B@$A
/libpod_parent/$A/conmon =
/job/$A/libpod-$B = podman:$B@$A
/job/$A/conmon =
/job/$A/x = ?:$A
/docker/$A/libpod-$B = docker:$A podman:$B
/libpod_parent/conmon =
/user.slice/user-7.slice/user@7.service/user.slice/libpod-$A.scope/container = podman:$A
/system.slice/web.service/libpod-payload-$A = podman:$A
/system.slice/nerdctl-$A.scope = containerd:$A
/system.slice/other-$A.scope = ?:$A
/default/$A = ?:$A
/default/x$A =
/lxc/web = lxc:web
/lxc/101/ns/system.slice/nginx.service = lxc:101
/lxc.payload/web = lxc:web
/default/web =
/runcweb =
/lxc.payload.web.1/init.scope = lxc:web.1
/lxc.payload.a/lxc.payload.b = lxc:a lxc:b
/lxc.monitor.web =
/lxc.monitor/web =
/lxc.payload. =
/lxc =
/machine.slice/machine-my\x2dbox.scope/payload/init.scope = systemd-nspawn:my-box
/payload/machine.slice/machine-my\x2dbox.scope/payload = systemd-nspawn:my-box
/payload =
/machine.slice/systemd-nspawn@box.service/payload = systemd-nspawn:box
/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator =
`

func TestContainers(t *testing.T) {
	names := strings.NewReplacer("$A", hexID("aa11"), "$B", hexID("bb22"), "$U", uid, "$V", strings.ReplaceAll(uid, "-", "_"),
		"$S", "0123456789abcdef0123456789abcdef")
	for line := range strings.Lines(strings.TrimPrefix(names.Replace(containerPaths), "\n")) {
		path, want, _ := strings.Cut(strings.TrimSpace(line), " =")
		got := ""
		for _, c := range Containers(path) {
			got += " " + cmp.Or(c.Runtime, "?") + ":" + c.ID + c.Name
			if c.PodUID != "" {
				got += "@" + c.PodUID
			}
		}
		if got != want {
			t.Errorf("%s:%s, want%s", path, got, want)
		}
	}
	for _, path := range []string{"/docker/" + strings.ToUpper(hexID("aa11")), "/docker/" + hexID("aa11")[1:]} {
		if got := Containers(path); got != nil {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestUnits(t *testing.T) {
	for path, want := range map[string]string{
		"/":                             "[]",
		"/system.slice/nginx.service":   "[system.slice nginx.service]",
		"/system.slice/nginx.service/a": "[system.slice nginx.service]",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/a@b.service": "[user.slice user-1000.slice " +
			"user@1000.service app.slice a@b.service]",
		"/system.slice/_cpu.service":                        "[system.slice cpu.service]",
		"/lxc.payload.web/system.slice/db.service":          "[system.slice db.service]",
		"/.service/x.timer/a.b":                             "[]",
		"/a.slice:cri-containerd:" + hexID("1") + ".scope":  "[]",
		`/system.slice/system-w.slice/w@a\x2db.service/sub`: `[system.slice system-w.slice w@a\x2db.service]`,
	} {
		if got := fmt.Sprint(Units(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestContainerNames(t *testing.T) {
	for _, c := range []struct {
		Container
		want string
	}{
		{Container{ID: hexID("abcdef0123456")}, "abcdef012345"},
		{Container{ID: hexID("a"), Name: "web"}, "web"},
		{Container{Name: "box", Runtime: "lxc"}, "box"},
		{Container{ID: hexID("a"), Name: "app", Pod: "web-1"}, "web-1/app"},
	} {
		if got := c.String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.Container, got, c.want)
		}
	}
	for in, want := range map[string]string{`a\x2db`: "a-b", `\x2`: `\x2`, `\xzz`: `\xzz`, "a": "a", "": ""} {
		if got := unescapeUnit(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
