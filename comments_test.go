package postrider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// After a rename a comment still names what it described before.
func TestCommentsBeginWithTheNameOfWhatTheyDescribe(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	for _, s := range sources(t) {
		f, err := parser.ParseFile(files, s.path(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			doc, name := described(d)
			first, _, _ := strings.Cut(doc.Text(), " ")
			if first = strings.TrimRight(first, ":,"); first != name && first != "" {
				t.Errorf("%s: the comment of %s begins with %q", files.Position(d.Pos()), name, first)
			}
		}
	}
}

// described returns the comment and the name of a function or of a type, constant or
// variable that is declared by itself; no comment for other declarations, and for
// tests, which say what they show.
func described(d ast.Decl) (doc *ast.CommentGroup, name string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		show := func(prefix string) bool { return strings.HasPrefix(d.Name.Name, prefix) }
		if !slices.ContainsFunc([]string{"Test", "Fuzz", "Benchmark", "Example"}, show) {
			return d.Doc, d.Name.Name
		}
	case *ast.GenDecl:
		if len(d.Specs) != 1 || d.Lparen.IsValid() {
			break
		}
		switch s := d.Specs[0].(type) {
		case *ast.TypeSpec:
			return d.Doc, s.Name.Name
		case *ast.ValueSpec:
			if len(s.Names) == 1 {
				return d.Doc, s.Names[0].Name
			}
		}
	}
	return nil, ""
}
