package archtest

// plantedImports are violations of the rules about imports.
func plantedImports() []planted {
	const (
		floorRule   = "imports run downward"
		vocabRule   = "vocabulary uses the standard library only"
		domainRule  = "domain has no HTTP and no driver"
		checkRule   = "check knows no domain"
		sandboxRule = "sandbox is independent"
		banRule     = "no banned import"
	)
	return []planted{
		{"upward", floorRule, one("internal/order/a.go", importing("panshi/internal/checkout")), []string{"higher floor (workflows)"}},
		{"sibling", floorRule, one("internal/order/a.go", importing("panshi/internal/payment")), []string{"its sibling internal/payment"}},
		{"into a sibling's subfolder", floorRule, one("internal/jobs/a.go", importing("panshi/internal/web/x")), []string{"its sibling"}},
		{"unmapped", floorRule, one("internal/utils/a.go", importing("fmt")), []string{"put it on a floor"}},
		{"unmapped target", floorRule, one("internal/order/a.go", importing("panshi/internal/utils")), []string{"stands on no floor"}},
		{"unmapped root", floorRule, one("main.go", "package main\nfunc main() {}\n"), []string{"put it on a floor"}},
		{"root that keeps requirements", floorRule, one("deps.go", importing("github.com/x/y")), nil},
		{"downward", floorRule, one("internal/order/a.go", importing("panshi/internal/db", "panshi/internal/audit")), nil},
		{"same unit", floorRule, one("internal/db/sqlite/a.go", importing("panshi/internal/db")), nil},
		{"allowed sibling", floorRule, one("internal/jobs/a.go", importing("panshi/internal/db")), nil},
		{"not the other way", floorRule, one("internal/db/a.go", importing("panshi/internal/jobs")), []string{"its sibling"}},
		{"errors for all", floorRule, one("internal/money/a.go", importing("panshi/internal/errs")), nil},
		{"a test may reach", floorRule, one("internal/order/a_test.go", importing("panshi/internal/payment")), nil},

		{"third party", vocabRule, one("internal/id/a.go", importing("github.com/google/uuid")), []string{"not github.com/google/uuid"}},
		{"standard library", vocabRule, one("internal/id/a.go", importing("crypto/rand", "encoding/hex")), nil},

		{"net/http", domainRule, one("internal/order/a.go", importing("net/http")), []string{"do not speak HTTP"}},
		{"net/http below", domainRule, one("internal/stock/a.go", importing("net/http/httptest")), []string{"do not speak HTTP"}},
		{"net/url is text", domainRule, one("internal/order/a.go", importing("net/url")), nil},
		{"an edge may", domainRule, one("internal/shopapi/a.go", importing("net/http")), nil},

		{"imports a domain", checkRule, one("internal/check/a.go", importing("panshi/internal/order")), []string{"from app"}},
		{"imports its three", checkRule, one("internal/check/a.go", importing("panshi/internal/db", "panshi/internal/invariant", "panshi/internal/audit")), nil},

		{"sandbox imports the shop", sandboxRule, one("sandbox/wx/a.go", importing("panshi/internal/wechatpay")), []string{"independent"}},
		{"sandbox tests too", sandboxRule, one("sandbox/a_test.go", importing("panshi/internal/errs")), []string{"independent"}},
		{"shop imports the sandbox", sandboxRule, one("internal/wechatpay/a.go", importing("panshi/sandbox")), []string{"over HTTP"}},
		{"app starts it", sandboxRule, one("internal/app/a.go", importing("panshi/sandbox")), nil},

		{"math/rand", banRule, one("internal/id/a.go", importing("math/rand")), []string{"crypto/rand only"}},
		{"math/rand/v2", banRule, one("internal/id/a.go", importing("math/rand/v2")), []string{"crypto/rand only"}},
		{"in a test", banRule, one("internal/id/a_test.go", importing("math/rand")), []string{"crypto/rand only"}},
		{"seeded runs", banRule, one("test/torture/a_test.go", importing("math/rand/v2")), nil},
		{"md5 and sha1", banRule, one("internal/vault/a.go", importing("crypto/md5", "crypto/sha1")), []string{"MD5", "SHA-1"}},
		{"database/sql in checkout", banRule, one("internal/checkout/a.go", importing("database/sql")), []string{"opens transactions"}},
		{"database/sql in its home", banRule, one("internal/db/sqlite/a.go", importing("database/sql", "modernc.org/sqlite")), nil},
		{"driver in a test", banRule, one("test/e2e/a_test.go", importing("modernc.org/sqlite")), []string{"knows the driver"}},
	}
}
