package host

import (
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// tree parses a file system from testdata: each line is "path = content". A repeated path adds a
// line to its file.
func tree(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	m := fstest.MapFS{}
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, "#") {
			continue
		}
		path, content, ok := strings.Cut(l, " =")
		if !ok {
			t.Fatalf("%s: line without ' =': %q", name, l)
		}
		if m[path] == nil {
			m[path] = &fstest.MapFile{}
		}
		m[path].Data = append(m[path].Data, strings.TrimPrefix(content, " ")...)
	}
	return m
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		tree string
		want Info
	}{
		{"server.tree", Info{
			Kernel: "6.12.9", CPUs: 15, Virtualization: "none", CPUModel: "AMD EPYC 7313 16-Core Processor",
			Clocksource: "tsc", Isolated: []int{2, 3, 5}, Mitigations: map[string]string{
				"meltdown": "Not affected", "retbleed": "Mitigation: untrained return thunk; SMT vulnerable",
			},
		}},
		{"guest.tree", Info{
			Kernel: "6.18.44", CPUs: 2, Virtualization: "kvm", CPUModel: "AMD EPYC", Clocksource: "tsc",
			Mitigations: map[string]string{"spec_store_bypass": "Vulnerable"},
		}},
		{"arm64.tree", Info{
			Kernel: "6.1.0-32-cloud-arm64", CPUs: 3, Virtualization: "qemu",
			CPUModel: "implementer 0x41 part 0xd0b", Clocksource: "arch_sys_counter",
		}},
	} {
		tt.want.Arch = runtime.GOARCH
		if got := Read(tree(t, tt.tree)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.tree, got, tt.want)
		}
	}
}

func TestReadNothing(t *testing.T) {
	want := Info{Arch: runtime.GOARCH, Virtualization: "unknown"}
	if got := Read(fstest.MapFS{}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// These files exist on any Linux.
func TestReadHere(t *testing.T) {
	root := os.DirFS("/")
	got := Read(root)
	if got.Kernel == "" || got.CPUs < 1 || got.Virtualization == "" {
		t.Errorf("this machine is not described: %+v", got)
	}
	if _, err := fs.Stat(root, "sys/devices/system/cpu/vulnerabilities"); (err == nil) != (got.Mitigations != nil) {
		t.Errorf("mitigations = %v, but the directory: %v", got.Mitigations, err)
	}
	if top := ReadTopology(root); len(top.cpus) < got.CPUs {
		t.Errorf("topology has %d CPUs of %d", len(top.cpus), got.CPUs)
	}
}

func TestVirtualization(t *testing.T) {
	type files map[string]string // path to content
	const (
		guest  = "flags\t: fpu hypervisor\n"
		metal  = "flags\t: fpu\n"
		arm    = "CPU part\t: 0xd0c\n"
		dmi    = "sys/class/dmi/id/"
		dt     = "sys/firmware/devicetree/base/"
		clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource"
	)
	for name, tt := range map[string]struct {
		cpuinfo string
		files   files
		want    string
	}{
		"bare x86":                    {metal, nil, "none"},
		"bare x86 from QEMU's vendor": {metal, files{dmi + "sys_vendor": "QEMU"}, "none"},
		"x86 guest without a name":    {guest, nil, "other"},
		"KVM with QEMU's tables":      {guest, files{dmi + "sys_vendor": "QEMU", clocks: "tsc kvm-clock"}, "kvm"},
		"QEMU without KVM":            {guest, files{dmi + "sys_vendor": "QEMU", clocks: "tsc hpet"}, "qemu"},
		"VMware":                      {guest, files{dmi + "product_name": "VMware Virtual Platform"}, "vmware"},
		"Hyper-V": {
			guest, files{dmi + "sys_vendor": "Microsoft Corporation", dmi + "product_name": "Virtual Machine"}, "microsoft",
		},
		"Surface laptop": {
			metal, files{dmi + "sys_vendor": "Microsoft Corporation", dmi + "product_name": "Surface Laptop"}, "none",
		},
		"paravirtual Xen without the flag": {metal, files{"sys/hypervisor/type": "xen"}, "xen"},
		"EC2 arm64": {arm, files{dmi + "sys_vendor": "Amazon EC2", dmi + "product_name": "c7g.large"},
			"kvm"},
		"EC2 arm64 bare metal": {arm, files{dmi + "sys_vendor": "Amazon EC2", dmi + "product_name": "c7g.metal"},
			"none"},
		"arm64, device tree":        {arm, files{dt + "hypervisor/compatible": "linux,kvm\x00"}, "kvm"},
		"arm64, Xen":                {arm, files{dt + "hypervisor/compatible": "xen,xen-4.17\x00xen,xen\x00"}, "xen"},
		"arm64, unnamed hypervisor": {arm, files{dt + "hypervisor/compatible": "acme,visor\x00"}, "other"},
		"arm64, no name":            {arm, nil, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{"proc/cpuinfo": {Data: []byte(tt.cpuinfo)}}
			for path, content := range tt.files {
				root[path] = &fstest.MapFile{Data: []byte(content + "\n")}
			}
			if got := Read(root).Virtualization; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
