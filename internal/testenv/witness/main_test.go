package witness

import (
	"os"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
