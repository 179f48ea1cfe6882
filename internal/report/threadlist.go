package report

import (
	_ "embed"
	"time"
)

// ThreadListSchemaID is the value of the key "schema" of a thread list.
const ThreadListSchemaID = "pinwatch.threads/v1"

// ThreadListSchema is the JSON Schema (2020-12) that every thread list follows.
//
//go:embed threads-v1.schema.json
var ThreadListSchema []byte

// ThreadList describes the threads of a process at one moment. The schema gives the meaning of each
// key.
type ThreadList struct {
	Schema    string         `json:"schema"`
	Target    Target         `json:"target"`
	ReadAt    string         `json:"read_at"` // RFC 3339
	GroupedBy string         `json:"grouped_by"`
	Groups    []ThreadGroup  `json:"groups"`
	Ended     *int           `json:"threads_ended"` // since the read before; nil without one
	Threads   []ListedThread `json:"threads"`
	Warnings  []string       `json:"warnings"`
}

// ListedThread is one OS thread of a thread list. Nil = not known, or none, as the schema
// describes.
type ListedThread struct {
	TID         int32    `json:"tid"`
	NSTID       *int32   `json:"own_tid"` // in its PID namespace
	Name        string   `json:"name"`
	M           *int64   `json:"m"`
	Role        string   `json:"role"`
	Lock        string   `json:"lock"`
	LockedExt   *uint32  `json:"locked_ext"`
	LockedInt   *uint32  `json:"locked_int"`
	GoID        *uint64  `json:"goid"`
	LockEntry   *string  `json:"lock_entry"`
	Parked      *bool    `json:"parked"`
	RunningGoID *uint64  `json:"running_goid"`
	P           *int32   `json:"p"`
	CreatedBy   *int32   `json:"created_by"`
	State       *string  `json:"state"`
	WChan       *string  `json:"wchan"`
	CPU         *int     `json:"cpu"`
	Affinity    *string  `json:"affinity"`
	Nice        *int     `json:"nice"`
	Policy      *string  `json:"policy"`
	CPUSeconds  *float64 `json:"cpu_s"`
	AgeSeconds  *float64 `json:"age_s"`
	Held
	Stack      []string          `json:"stack"`      // innermost first; nil also unless asked for
	Namespaces map[string]string `json:"namespaces"` // nil also unless asked for
	Change     *string           `json:"change"`     // since the read before; nil also without one
}

// NewThreadList makes a list of the threads, in the order given. by is one of Groupings.
func NewThreadList(target Target, threads []ListedThread, by string, warnings []string) *ThreadList {
	// An empty list is [] in JSON, not null.
	return &ThreadList{
		Schema: ThreadListSchemaID, Target: target, ReadAt: time.Now().Format(time.RFC3339Nano), GroupedBy: by,
		Groups:  GroupThreads(threads, by),
		Threads: append([]ListedThread{}, threads...), Warnings: append([]string{}, warnings...),
	}
}
