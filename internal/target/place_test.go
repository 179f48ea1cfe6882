package target

import (
	"strconv"
	"strings"
	"testing"
)

const version1 = "31 1 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
	"33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
	"34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n" +
	"35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

// refused is the error of a choice.
func refused(t *testing.T, root tree, choice Choice) string {
	t.Helper()
	_, err := NewChooser(root, choice)
	if err == nil {
		t.Fatalf("%+v is no error", choice)
	}
	return err.Error()
}

func TestCgroupVersion2(t *testing.T) {
	root := newTree()
	root.dir("sys/fs/cgroup/a/b", "sys/fs/cgroup/ab")
	root.process(100, fake{exe: "/x", cgroup: "0::/a"})
	root.process(101, fake{exe: "/x", cgroup: "0::/a/b"})
	root.process(102, fake{exe: "/x", cgroup: "0::/ab"})
	root.process(103, fake{exe: "/x", cgroup: "0::/"})
	root.process(104, fake{exe: "/x", cgroup: "0::/../other"}) // outside a cgroup namespace
	for path, want := range map[string]string{
		"/sys/fs/cgroup/a":   "[100 101]",
		"/sys/fs/cgroup/a/":  "[100 101]",
		"/a":                 "[100 101]",
		"a":                  "[100 101]",
		"a/b":                "[101]",
		"a/../ab":            "[102]",
		"/":                  "[100 101 102 103]",
		"/sys/fs/cgroup":     "[100 101 102 103]",
		"/../other":          "[104]",
		"/../other/":         "[104]",
		"/sys/fs/cgroup/a/b": "[101]",
	} {
		if got := chosen(t, root, Choice{Cgroups: []string{path}}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got, want := refused(t, root, Choice{Cgroups: []string{"a/c"}}),
		`--cgroup "a/c": no such cgroup; looked below /sys/fs/cgroup`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := refused(t, root, Choice{Cgroups: []string{"/sys/fs/cgroup/a/c"}}),
		`--cgroup "/sys/fs/cgroup/a/c": no such cgroup; looked for /sys/fs/cgroup/a/c`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := refused(t, root, Choice{Cgroups: []string{""}}); !strings.HasPrefix(got, `--cgroup "": want the path`) {
		t.Error(got)
	}
}

func TestCgroupVersion1(t *testing.T) {
	root := newTree()
	root.file("proc/90/mountinfo", version1)
	root.dir("sys/fs/cgroup/cpu,cpuacct/job", "sys/fs/cgroup/memory/job", "sys/fs/cgroup/unified/u")
	root.process(100, fake{exe: "/x", cgroup: "9:name=systemd:/s\n3:memory:/job/1\n2:cpu,cpuacct:/\n0::/u"})
	root.process(101, fake{exe: "/x", cgroup: "9:name=systemd:/s\n3:memory:/\n2:cpu,cpuacct:/job\n0::/"})
	root.process(102, fake{exe: "/x", cgroup: "9:name=systemd:/job\n3:memory:/\n2:cpu,cpuacct:/\n0::/job"})
	for path, want := range map[string]string{
		"job":                            "[100 101]", // in two hierarchies
		"/sys/fs/cgroup/memory/job":      "[100]",
		"/sys/fs/cgroup/cpu,cpuacct/job": "[101]",
		"/sys/fs/cgroup/unified/u":       "[100]",
		"u":                              "[100]",
	} {
		if got := chosen(t, root, Choice{Cgroups: []string{path}}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	want := `--cgroup "none": no such cgroup; looked below /sys/fs/cgroup/cpu,cpuacct, below /sys/fs/cgroup/memory, ` +
		`below /sys/fs/cgroup/systemd, below /sys/fs/cgroup/unified`
	if got := refused(t, root, Choice{Cgroups: []string{"none"}}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The mount of a container without its own cgroup namespace shows a part of the hierarchy.
func TestCgroupPart(t *testing.T) {
	root := newTree()
	root.file("proc/90/mountinfo", "30 1 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
	root.dir("sys/fs/cgroup/a")
	root.process(100, fake{exe: "/x", cgroup: "0::/docker/1/a"})
	root.process(101, fake{exe: "/x", cgroup: "0::/docker/2/a"})
	for path, want := range map[string]string{"a": "[100]", "/sys/fs/cgroup/a": "[100]", "/docker/1/a": "[100]",
		"/docker/2": "[101]"} { // not mounted, and known by the process in it
		if got := chosen(t, root, Choice{Cgroups: []string{path}}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	// That of the host, seen from a cgroup namespace.
	root.file("proc/90/mountinfo", "30 1 0:26 /.. /host rw - cgroup2 cgroup2 rw\n")
	root.dir("host/b")
	root.process(102, fake{exe: "/x", cgroup: "0::/../b/c"})
	root.process(103, fake{exe: "/x", cgroup: "0::/../../b"})
	for path, want := range map[string]string{"b": "[102]", "/host/b": "[102]", "/../b": "[102]", "/host": "[100 101 102]"} {
		if got := chosen(t, root, Choice{Cgroups: []string{path}}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	root.file("proc/90/mountinfo", "")
	if got := chosen(t, root, Choice{Cgroups: []string{"/docker"}}); got != "[100 101]" {
		t.Errorf("without a mount: %s", got)
	}
	if got := refused(t, root, Choice{Cgroups: []string{"x"}}); !strings.Contains(got, "no cgroups are mounted here") {
		t.Error(got)
	}
}

func TestCgroupGone(t *testing.T) {
	root := newTree()
	root.dir("sys/fs/cgroup/a", "sys/fs/cgroup/b")
	c := chooser(t, root, Choice{Cgroups: []string{"a", "b"}})
	if err := c.Gone(); err != nil {
		t.Error(err)
	}
	delete(root.MapFS, "sys/fs/cgroup/a")
	if err := c.Gone(); err == nil || err.Error() != "the cgroup a was removed; the other processes are observed further" {
		t.Error(err)
	}
	if err := c.Gone(); err != nil {
		t.Errorf("said twice: %v", err)
	}
	root.dir("sys/fs/cgroup/a")
	root.process(100, fake{exe: "/x", cgroup: "0::/a"})
	if got := scan(t, c); got != "[100]" || c.Gone() != nil {
		t.Errorf("after it came back: %s", got)
	}
	delete(root.MapFS, "sys/fs/cgroup/a")
	if c.Gone() == nil {
		t.Error("not said when it was removed again")
	}
	if got, want := c.Waits(), "no such Go program runs now: waiting for one in the cgroup a, or in the cgroup b"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnitChoice(t *testing.T) {
	root := newTree()
	root.process(100, fake{exe: "/nginx", cgroup: "0::/system.slice/nginx.service"})
	root.process(99, fake{exe: "/s", cgroup: "0::/system.slice/system-w.slice/w@3.socket"})
	root.process(101, fake{exe: "/w", cgroup: "0::/system.slice/system-w.slice/w@1.service/sub"})
	root.process(102, fake{exe: "/w", cgroup: "0::/system.slice/system-w.slice/w@2.service"})
	root.process(103, fake{exe: "/a", cgroup: "0::/user.slice/user-7.slice/user@7.service/app.slice/a.service"})
	root.process(104, fake{exe: "/s", cgroup: "0::/user.slice/user-7.slice/session-3.scope"})
	root.process(105, fake{exe: "/e", cgroup: `0::/system.slice/my\x2dapp.service`})
	root.process(106, fake{exe: "/n", cgroup: "0::/lxc.payload.web/system.slice/nginx.service"})
	root.file("usr/lib/systemd/system/sleepy.service", "")
	root.file("etc/systemd/system/q@.service", "")
	for name, want := range map[string]string{
		"nginx":              "[100 106]",
		"nginx.service":      "[100 106]",
		"w@1":                "[101]",
		"w@":                 "[101 102]",
		"w@.service":         "[101 102]",
		"w@.socket":          "[99]",
		"w@*":                "[101 102]",
		"system-w.slice":     "[99 101 102]",
		"a":                  "[103]",
		"user@7.service":     "[103]",
		"session-3.scope":    "[104]",
		`my\x2dapp`:          "[105]",
		`my\x2d*`:            "[105]",
		"sleepy":             "[]", // may be started
		"q@5":                "[]",
		"q@":                 "[]",
		"no*":                "[]",
		"user-7.slice":       "[103 104]",
		"session-3.scop[ef]": "[]", // .service is added
	} {
		if got := chosen(t, root, Choice{Units: []string{name}}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"ngin":    `--unit "ngin": no such unit runs here or has a file; there are nginx.service`,
		"postgre": `--unit "postgre": no such unit runs here or has a file; there are a.service, init.scope, my\x2dapp.service,`,
		"":        `--unit "": want the name of a systemd unit`,
		"w@[":     `--unit "w@[": want the name of a systemd unit`,
	} {
		if got := refused(t, root, Choice{Units: []string{name}}); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestContainerChoice(t *testing.T) {
	root, web, db, app, pause, pod := newTree(), hexID("aa11"), hexID("aa22"), hexID("cc33"), hexID("cc44"), hexID("dd55")
	slice := "0::/kubepods.slice/kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/"
	root.process(100, fake{exe: "/x", cgroup: "0::/system.slice/docker-" + web + ".scope"})
	root.process(101, fake{exe: "/x", cgroup: "0::/system.slice/docker-" + web + ".scope/docker/" + pod}) // docker in docker
	root.process(102, fake{exe: "/x", cgroup: "0::/machine.slice/libpod-" + db + ".scope"})
	root.process(103, fake{exe: "/x", cgroup: slice + "cri-containerd-" + app + ".scope"})
	root.process(104, fake{exe: "/x", cgroup: slice + "cri-containerd-" + pause + ".scope"})
	root.process(105, fake{exe: "/x", cgroup: "0::/lxc/box"})
	root.process(106, fake{exe: "/x", cgroup: "0::/kubepods/pod0123456789abcdef0123456789abcdef/" + hexID("ee66"),
		nspid: "106\t1", environ: "A=HOSTNAME=no\x00HOSTNAME=etcd-node1\x00"})
	root.process(99, fake{exe: "/x", cgroup: "0::/kubepods/pod0123456789abcdef0123456789abcdef/" + hexID("ee66"),
		nspid: "99\t12", environ: "HOSTNAME=mine\x00"}) // not the container's first process
	root.file("var/lib/docker/containers/"+web+"/config.v2.json", `{"ID":"x","Name":"/web","Config":{"Hostname":"w-host"}}`)
	root.file("var/lib/containers/storage/overlay-containers/containers.json",
		`[{"id":"other"},{"id":"`+db+`","names":["db"],"metadata":"{}"}]`)
	root.file("var/lib/containers/storage/overlay-containers/"+db+"/userdata/config.json", `{"hostname":"db-host"}`)
	const task = "run/containerd/io.containerd.runtime.v2.task/k8s.io/"
	root.file(task+app+"/config.json", `{"hostname":"web-1","annotations":{"io.kubernetes.cri.container-name":"server",`+
		`"io.kubernetes.cri.sandbox-name":"web-1","io.kubernetes.cri.sandbox-namespace":"shop"}}`)
	root.file(task+pause+"/config.json", `{"hostname":"web-1","annotations":{"io.kubernetes.cri.sandbox-name":"web-1",`+
		`"io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.container-type":"sandbox"}}`)
	for name, want := range map[string]string{
		"web":          "[100 101]",
		web:            "[100 101]",
		web[:4]:        "[100 101]",
		pod[:12]:       "[101]",
		"w-host":       "[100 101]",
		"db":           "[102]",
		"db-host":      "[102]",
		"aa22":         "[102]",
		"server":       "[103]",
		"web-1/server": "[103]",
		"web-1":        "[103 104]",
		"shop/web-1":   "[103 104]",
		uid:            "[103 104]",
		"box":          "[105]",
		"etcd-node1":   "[99 106]",
	} {
		if got := chosen(t, root, Choice{Containers: []string{name}}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	c := chooser(t, root, Choice{PIDs: []int{101, 103, 106}})
	for pid, want := range map[int]Container{
		101: {ID: pod, Runtime: "docker"},
		103: {ID: app, Name: "server", Runtime: "containerd", Hostname: "web-1", Pod: "web-1", Namespace: "shop", PodUID: uid},
		106: {ID: hexID("ee66"), Hostname: "etcd-node1", PodUID: "0123456789abcdef0123456789abcdef"},
	} {
		if p, ok := c.Matches(pid); !ok || *p.Container() != want {
			t.Errorf("%d: %+v, want %+v", pid, p.Container(), want)
		}
	}
	root.process(107, fake{exe: "/x", cgroup: "0::/docker/" + hexID("aa33"), nspid: "107 1",
		environ: "HOSTNAME=a\x1b[1m"})
	const others = "no running container has that name or id, by the paths of cgroups; there are aa3300000000, box, " +
		"db (aa2200000000), dd5500000000, ee6600000000, web (aa1100000000), web-1/cc4400000000, web-1/server (cc3300000000)"
	for name, want := range map[string]string{"nope": others, "mine": others, "a\x1b[1m": others,
		"": "want the name or the id of a container"} {
		want = "--container " + strconv.Quote(name) + ": " + want
		if got := refused(t, root, Choice{Containers: []string{name}}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	root.process(108, fake{exe: "/x", cgroup: "0::/docker/" + hexID("aa3333")})
	if got, want := refused(t, root, Choice{Containers: []string{"aa33"}}), `--container "aa33": more than one container: `+
		"aa3300000000, aa3333000000; give more of its id or its name"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := refused(t, root, Choice{Containers: []string{"aa3"}}); !strings.Contains(got, "no running container") {
		t.Error(got)
	}
	if got := refused(t, newTree(), Choice{Containers: []string{"x"}}); !strings.Contains(got, "no process here is in a container") {
		t.Error(got)
	}
}

// The name of a pod of podman is the hostname of its containers; so it is in Kubernetes where there are no files.
func TestPodChoice(t *testing.T) {
	root, pod, other := newTree(), hexID("aa11"), hexID("aa22")
	in := "0::/libpod_parent/" + pod + "/libpod-"
	root.process(100, fake{exe: "/x", cgroup: in + hexID("bb1"), nspid: "100\t1", environ: "HOSTNAME=web\x00"})
	root.process(101, fake{exe: "/x", cgroup: in + hexID("bb2"), nspid: "101\t1", environ: "HOSTNAME=web\x00"})
	root.process(99, fake{exe: "/x", cgroup: "0::/libpod_parent/" + pod + "/conmon"})
	root.process(102, fake{exe: "/x", cgroup: "0::/libpod_parent/" + other + "/libpod-" + hexID("bb3")})
	for name, want := range map[string]string{"web": "[100 101]", pod: "[100 101]", "aa11": "[100 101]", "aa22": "[102]"} {
		if got := chosen(t, root, Choice{Containers: []string{name}}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	root.process(103, fake{exe: "/x", cgroup: "0::/docker/" + hexID("cc1"), nspid: "103\t1", environ: "HOSTNAME=web\x00"})
	if got := refused(t, root, Choice{Containers: []string{"web"}}); !strings.Contains(got, "more than one container") {
		t.Error(got)
	}
}

// The id that a person gives to runc, crun or ctr is the name of a cgroup, which may be anything.
func TestContainerCgroup(t *testing.T) {
	root := newTree()
	root.process(100, fake{exe: "/x", cgroup: "4:memory:/job/web\n0::/web/sub"}) // as runc and crun
	root.process(101, fake{exe: "/x", cgroup: "0::/default/db"})                 // as ctr
	root.process(102, fake{exe: "/x", cgroup: "0::/user.slice/runc-box.scope"})
	for name, want := range map[string]string{"web": "/web", "db": "/default/db", "box": "/user.slice/runc-box.scope"} {
		want = "--container " + strconv.Quote(name) + ": no running container has that name or id, by the paths of cgroups; " +
			"a cgroup has that name: --cgroup " + want
		if got := refused(t, root, Choice{Containers: []string{name}}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A container that is made again under its name is chosen again; one that was chosen by its id is not.
func TestContainerAgain(t *testing.T) {
	root, first, second := newTree(), hexID("aa11"), hexID("bb22")
	root.process(100, fake{exe: "/x", cgroup: "0::/docker/" + first})
	root.file("var/lib/docker/containers/"+first+"/config.v2.json", `{"Name":"/web"}`)
	byName, byID := chooser(t, root, Choice{Containers: []string{"web"}}), chooser(t, root, Choice{Containers: []string{"aa11"}})
	scan(t, byName)
	delete(root.MapFS, "proc/100/cgroup")
	root.process(100, fake{exe: "/x", cgroup: "0::/docker/" + second, start: 1})
	root.file("var/lib/docker/containers/"+second+"/config.v2.json", `{"Name":"/web"}`)
	if got := scan(t, byName); got != "[100]" {
		t.Errorf("by name: %s", got)
	}
	if got := scan(t, byID); got != "[]" {
		t.Errorf("by id: %s", got)
	}
	for range 3 {
		scan(t, byName)
	}
	if len(byName.names.known) > 1 {
		t.Errorf("%d containers kept of one that runs", len(byName.names.known))
	}
	// The name that its first process has is kept for those that come later.
	root.process(101, fake{exe: "/x", cgroup: "0::/docker/" + hexID("cc33"), nspid: "101 1", environ: "HOSTNAME=h"})
	byHost := chooser(t, root, Choice{Containers: []string{"h"}})
	for range 3 {
		scan(t, byHost)
	}
	root.process(102, fake{exe: "/x", cgroup: "0::/docker/" + hexID("cc33"), nspid: "102 2"})
	if _, ok := byHost.Matches(102); !ok {
		t.Error("the container's name was forgotten while it ran")
	}
}
