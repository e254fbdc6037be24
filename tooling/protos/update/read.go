package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"reflect"
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

// The descriptor in a .pb.go, with comments; nil where there is none (vtproto).
func readFile(path string) (*descriptorpb.FileDescriptorProto, error) {
	source, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	docs := docs{messages: map[string]string{}, fields: map[string]map[string]string{}, values: map[string]string{}}
	var raw []byte
	for _, declaration := range source.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				docs.readType(group, spec)
			case *ast.ValueSpec:
				name := spec.Names[0].Name
				if strings.HasSuffix(name, "_rawDesc") && len(spec.Values) == 1 {
					if raw, err = literal(spec.Values[0]); err != nil {
						return nil, err
					}
				} else if spec.Doc != nil {
					docs.values[name] = spec.Doc.Text()
				}
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
	file.SourceCodeInfo = docs.locate(file)
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

// Comments by the Go names of what they are of.
type docs struct {
	messages map[string]string            // also enums
	fields   map[string]map[string]string // message, then name of the field in the .proto
	values   map[string]string            // of enums
}

func (d docs) readType(group *ast.GenDecl, spec *ast.TypeSpec) {
	name := spec.Name.Name
	doc := spec.Doc
	if doc == nil {
		doc = group.Doc
	}
	if doc != nil {
		d.messages[name] = doc.Text()
	}
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		if field.Tag == nil || field.Doc == nil {
			continue
		}
		tags, _ := strconv.Unquote(field.Tag.Value)
		for _, part := range strings.Split(reflect.StructTag(tags).Get("protobuf"), ",") {
			if fieldName, found := strings.CutPrefix(part, "name="); found {
				if d.fields[name] == nil {
					d.fields[name] = map[string]string{}
				}
				d.fields[name][fieldName] = field.Doc.Text()
			}
		}
	}
}
