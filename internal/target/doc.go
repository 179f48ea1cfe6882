// Package target finds the processes that a person means: by PID, by name, by cgroup, by container, by
// systemd unit, or all Go programs of the host. It reads files only, and asks no daemon. It does not
// find out which of them are Go programs.
//
// # Containers and units
//
// A container is found by the paths of its processes' cgroups. These are the forms, with their sources;
// <id> is 64 hexadecimal digits:
//
//	docker/<id>, docker-<id>.scope          moby daemon/oci_linux.go (withCgroups)
//	kubepods/…/pod<uid>/<id>                kubernetes pkg/kubelet/cm/pod_container_manager_linux.go
//	kubepods-…-pod<uid, _ for ->.slice/cri-containerd-<id>.scope
//	                                        containerd internal/cri/server/podsandbox (getCgroupsPath)
//	kubepods-…-pod<uid, _ for ->.slice/crio-<id>.scope
//	                                        cri-o internal/config/cgmgr (CrioPrefix)
//	….slice:cri-containerd:<id>             the same, where runc does not use systemd
//	nerdctl-<id>.scope                      nerdctl pkg/cmd/container/run_cgroup_linux.go
//	libpod-<id>.scope, libpod-payload-<id>  podman libpod (getOCICgroupPath)
//	libpod_parent/<pod's id>/libpod-<id>, …libpod_pod_<pod's id>.slice/libpod-<id>.scope
//	                                        the same in a pod; the monitors are in libpod_parent/<pod's id>/conmon
//	lxc.payload.<name>, lxc.payload/<name>, lxc/<name>
//	                                        lxc src/lxc/cgroups/cgfsng.c; lxc.container.conf(5)
//	machine-<name>.scope, systemd-nspawn@<name>.service
//	                                        systemd src/machine/machine.c; systemd-nspawn(1)
//
// ctr makes <namespace>/<id>, and runc and crun <id> below a group that exists, where id is any word: such a path is
// no sign of a container, and a person is told of the group that has the name.
//
// crio-conmon-<id>.scope and libpod-conmon-<id>.scope hold a container's monitor, which is outside the
// container. The parts of a path that have the name of a systemd unit are units (cg_path_get_unit and
// cg_path_get_user_unit in systemd src/basic/cgroup-util.c).
//
// # Names
//
// The path of a cgroup has no name of a docker container or a pod. Their runtimes write one into a file:
//
//	/var/lib/docker/containers/<id>/config.v2.json
//	        moby container/container.go
//	/run/containerd/io.containerd.runtime.v2.task/<namespace>/<id>/config.json, /run/k3s/containerd/…
//	        containerd core/runtime/v2/bundle.go; annotations io.kubernetes.cri.*
//	/var/lib/containers/storage/overlay-containers/<id>/userdata/config.json, /run/containers/storage/…
//	        cri-o and podman; annotations io.kubernetes.*
//	/var/lib/containers/storage/overlay-containers/containers.json and volatile-containers.json
//	        containers/storage containers.go
//
// Files in the home of a user, as those of rootless podman, are not read: who owns them may make a pipe of
// one, and to open that waits for ever. Nor is a container's own /etc/hostname.
//
// Where there is no such file that can be read, as in a container that does not see the host's files, the
// HOSTNAME in the environment that the runtime gave to the container's first process is taken. In Kubernetes
// it is the pod's name.
package target
