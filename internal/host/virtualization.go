package host

import (
	"io/fs"
	"strings"
)

// dmiNames maps the vendors and products that hypervisors write into the guest's DMI tables. The
// first match counts. After systemd's src/basic/virt.c (detect_vm_dmi_vendor).
var dmiNames = []struct{ contains, is string }{
	{".metal", "none"}, // Amazon's instances without a hypervisor
	{"KVM", "kvm"},
	{"OpenStack", "kvm"},
	{"Amazon EC2", "kvm"},
	{"Google Compute Engine", "kvm"},
	{"QEMU", "qemu"},
	{"VMware", "vmware"},
	{"VMW", "vmware"},
	{"innotek GmbH", "oracle"},
	{"VirtualBox", "oracle"},
	{"Xen", "xen"},
	{"Bochs", "bochs"},
	{"Parallels", "parallels"},
	{"BHYVE", "bhyve"},
	{"Hyper-V", "microsoft"},
	{"Microsoft Corporation Virtual Machine", "microsoft"},
	{"Apple Virtualization", "apple"},
}

// clocks maps clock sources that only one hypervisor offers its guests. They identify small virtual
// machines without DMI, and KVM, which has the same DMI as plain QEMU.
var clocks = map[string]string{
	"kvm-clock":                   "kvm",
	"xen":                         "xen",
	"hyperv_clocksource_tsc_page": "microsoft",
	"hyperv_clocksource_msr":      "microsoft",
}

// virtualization is the name of the hypervisor. On x86 a CPU flag shows whether there is one. On
// other machines the absence of a name proves nothing.
func virtualization(root fs.FS, cpu cpuInfo) string {
	if t := line(root, "sys/hypervisor/type"); t != "" { // Xen, including paravirtual guests, which lack the CPU flag
		return t
	}
	if cpu.x86() && !cpu.hypervisor() {
		return "none"
	}
	for c := range strings.FieldsSeq(line(root, "sys/devices/system/clocksource/clocksource0/available_clocksource")) {
		if is := clocks[c]; is != "" {
			return is
		}
	}
	if is := dmiHypervisor(root); is != "" {
		return is
	}
	if is := deviceTreeHypervisor(root); is != "" {
		return is
	}
	if cpu.hypervisor() {
		return "other"
	}
	return "unknown"
}

// dmiHypervisor reads the firmware's names of the machine; "" if they name no hypervisor.
func dmiHypervisor(root fs.FS) string {
	const dir = "sys/class/dmi/id/"
	machine := line(root, dir+"sys_vendor") + " " + line(root, dir+"product_name") + "\n" +
		line(root, dir+"board_vendor") + "\n" + line(root, dir+"bios_vendor")
	for _, d := range dmiNames {
		if strings.Contains(machine, d.contains) {
			return d.is
		}
	}
	return ""
}

// deviceTreeHypervisor reads /hypervisor, which KVM and Xen put into an arm64 guest's device tree.
func deviceTreeHypervisor(root fs.FS) string {
	const dir = "sys/firmware/devicetree/base"
	switch compatible := line(root, dir+"/hypervisor/compatible"); {
	case strings.Contains(compatible, "linux,kvm"):
		return "kvm"
	case strings.Contains(compatible, "xen"):
		return "xen"
	case compatible != "":
		return "other"
	}
	// QEMU's configuration device; the suffix is its address.
	if found, _ := fs.Glob(root, dir+"/fw-cfg@*"); len(found) > 0 {
		return "qemu"
	}
	return ""
}
