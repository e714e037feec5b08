package archtest

import (
	"go/ast"
	"go/token"
	"strconv"
)

// bannedNames are package members that no file may use, tests included.
func bannedNames() map[string]map[string]string {
	const client = "http.DefaultClient has no timeouts and is shared: take a *http.Client in the constructor"
	return map[string]map[string]string{
		"net/http": {
			"DefaultClient": client, "Get": client, "Post": client, "PostForm": client, "Head": client,
			"DefaultServeMux": "a global route table: build a mux",
			"Handle":          "a global route table: build a mux",
			"HandleFunc":      "a global route table: build a mux",
			"ListenAndServe":  "a server without limits: build an http.Server with its timeouts",
		},
		"crypto/tls": {"VersionTLS10": "TLS 1.2 is the least", "VersionTLS11": "TLS 1.2 is the least"},
	}
}

// bannedFields are struct fields that no composite literal or assignment sets.
func bannedFields() map[string]string {
	return map[string]string{
		"InsecureSkipVerify": "a connection that trusts anybody; give the server's certificate to RootCAs",
	}
}

// checkBannedCalls finds insecure members and fields.
func checkBannedCalls(t *tree) []finding {
	var out []finding
	t.each(func(_ *pkg, f *file) {
		names := localNames(f)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if what, pos := banned(n, names); what != "" {
				out = append(out, finding{t.at(pos), what})
			}
			return true
		})
	})
	return out
}

// banned judges one node.
func banned(n ast.Node, names map[string]string) (what string, pos token.Pos) {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok {
			return describe(key.Name, bannedFields()[key.Name]), n.Pos()
		}
	case *ast.SelectorExpr:
		if why := bannedFields()[n.Sel.Name]; why != "" {
			return describe(n.Sel.Name, why), n.Pos()
		}
		if base, ok := n.X.(*ast.Ident); ok {
			return describe(base.Name+"."+n.Sel.Name, bannedNames()[names[base.Name]][n.Sel.Name]), n.Pos()
		}
	}
	return "", token.NoPos
}

func describe(name, why string) string {
	if why == "" {
		return ""
	}
	return name + ": " + why
}

// localNames maps the names by which a file calls the packages of bannedNames
// to their import paths.
func localNames(f *file) map[string]string {
	usual := map[string]string{"net/http": "http", "crypto/tls": "tls"}
	out := map[string]string{}
	for _, spec := range f.ast.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil || usual[importPath] == "" {
			continue
		}
		name := usual[importPath]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[name] = importPath
	}
	return out
}

// checkNoInit: nothing happens by being imported.
func checkNoInit(t *tree) []finding {
	var out []finding
	t.each(func(_ *pkg, f *file) {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, finding{t.at(fn.Pos()), "func init: do it in a constructor that app calls"})
			}
		}
	})
	return out
}
