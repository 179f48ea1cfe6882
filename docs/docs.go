// Package docs holds the documents that pinwatch explain shows.
package docs

import _ "embed"

// Vet is vet.md. It has a section for each check of pinwatch vet.
//
//go:embed vet.md
var Vet string
