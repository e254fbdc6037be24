package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

func moduleDirectory(module string) (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(out), `"Dir": "`)
	directory, _, _ := strings.Cut(rest, `"`)
	return directory, nil
}

func readTree(root string, into map[string]*descriptorpb.FileDescriptorProto) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".pb.go") {
			return err
		}
		file, err := readFile(path)
		if err != nil || file == nil {
			return err
		}
		into[file.GetName()] = file
		return nil
	})
}

// The descriptor in a .pb.go; nil where there is none (vtproto).
func readFile(path string) (*descriptorpb.FileDescriptorProto, error) {
	source, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var raw []byte
	for _, declaration := range source.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if !ok || !strings.HasSuffix(value.Names[0].Name, "_rawDesc") || len(value.Values) != 1 {
				continue
			}
			if raw, err = literal(value.Values[0]); err != nil {
				return nil, err
			}
		}
	}
	if raw == nil {
		return nil, nil
	}
	file := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(raw, file); err != nil {
		return nil, err
	}
	return file, nil
}

// Bytes of strings with pluses between them, or, as older files have it, of a list of bytes.
func literal(expression ast.Expr) ([]byte, error) {
	switch expression := expression.(type) {
	case *ast.BinaryExpr:
		left, err := literal(expression.X)
		if err != nil {
			return nil, err
		}
		right, err := literal(expression.Y)
		return append(left, right...), err
	case *ast.CompositeLit:
		all := make([]byte, 0, len(expression.Elts))
		for _, element := range expression.Elts {
			one, ok := element.(*ast.BasicLit)
			if !ok {
				return nil, fmt.Errorf("a descriptor with %T in it", element)
			}
			number, err := strconv.ParseUint(one.Value, 0, 8)
			if err != nil {
				return nil, err
			}
			all = append(all, byte(number))
		}
		return all, nil
	case *ast.BasicLit:
		text, err := strconv.Unquote(expression.Value)
		return []byte(text), err
	}
	return nil, fmt.Errorf("a descriptor that is %T", expression)
}
