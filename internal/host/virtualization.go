package host

import (
	"io/fs"
	"strings"
)

// dmiNames are the vendors and products that hypervisors write into the guest's DMI tables; the first match counts.
// After systemd's src/basic/virt.c (detect_vm_dmi_vendor).
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

// clocks are the clock sources that only one hypervisor's guests are offered. They tell where a small virtual machine has no
// DMI, and KVM from plain QEMU, which has the same DMI.
var clocks = map[string]string{
	"kvm-clock":                   "kvm",
	"xen":                         "xen",
	"hyperv_clocksource_tsc_page": "microsoft",
	"hyperv_clocksource_msr":      "microsoft",
}

// virtualization names the hypervisor below the kernel. On x86 the CPU says for sure whether there is one, on other machines
// silence proves nothing.
func virtualization(root fs.FS, cpu cpuInfo) string {
	if t := line(root, "sys/hypervisor/type"); t != "" { // Xen, also the paravirtual kind that hides the CPU flag
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
	if is := fromDMI(root); is != "" {
		return is
	}
	if is := fromDeviceTree(root); is != "" {
		return is
	}
	if cpu.hypervisor() {
		return "other"
	}
	return "unknown"
}

// fromDMI looks at what the firmware calls the machine; "" when it names no hypervisor.
func fromDMI(root fs.FS) string {
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

// fromDeviceTree looks at /hypervisor, which KVM and Xen put into an arm64 guest's device tree.
func fromDeviceTree(root fs.FS) string {
	const dir = "sys/firmware/devicetree/base"
	switch compatible := line(root, dir+"/hypervisor/compatible"); {
	case strings.Contains(compatible, "linux,kvm"):
		return "kvm"
	case strings.Contains(compatible, "xen"):
		return "xen"
	case compatible != "":
		return "other"
	}
	if found, _ := fs.Glob(root, dir+"/fw-cfg@*"); len(found) > 0 { // QEMU's configuration device; the suffix is its address
		return "qemu"
	}
	return ""
}
