// Writes the .proto files of Envoy's API as its Go modules carry them: the descriptor that protoc put into each .pb.go.
// go.sum pins every module.
//
//	go run . OUT   (writes OUT, which should be empty)
//
// Left out: comments, and options for C++ validation and for documentation. They have no wire format.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// Module → directories under it that are read.
var sources = []struct {
	module string
	parts  []string
}{
	{"github.com/envoyproxy/go-control-plane/envoy", []string{"admin", "config", "data", "extensions", "service", "type"}},
	{"github.com/cncf/xds/go", []string{"udpa/type", "udpa/data", "xds/core", "xds/type", "xds/data", "xds/service"}},
	{"cel.dev/expr", []string{"."}},
	{"go.opentelemetry.io/proto/otlp", []string{"common/v1"}},
	{"google.golang.org/genproto/googleapis/api", []string{"expr/v1alpha1"}},
	{"google.golang.org/genproto/googleapis/rpc", []string{"status"}},
}

// Starts of paths that only those options need.
var optionFiles = []string{
	"validate/", "udpa/annotations/", "xds/annotations/", "envoy/annotations/", "google/api/annotations", "google/api/http",
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . OUT")
	}
	out := os.Args[1]
	files := map[string]*descriptorpb.FileDescriptorProto{}
	for _, source := range sources {
		directory, err := moduleDirectory(source.module)
		check(err, source.module)
		for _, part := range source.parts {
			check(readTree(filepath.Join(directory, part), files), source.module)
		}
	}
	registry := &protoregistry.Files{}
	names := []string{}
	for _, file := range files {
		stripOptions(file)
	}
	for name := range files {
		if isV2(name) {
			continue
		}
		if missing := missingOf(name, files); missing != "" {
			fmt.Printf("left out %s, which imports %s\n", name, missing)
		} else {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		_, err := register(name, files, registry)
		check(err, name)
	}
	printer := &protoprint.Printer{}
	for _, name := range names {
		file, err := registry.FindFileByPath(name)
		check(err, name)
		path := filepath.Join(out, name)
		check(os.MkdirAll(filepath.Dir(path), 0o755), path)
		text, err := printer.PrintProtoToString(file)
		check(err, name)
		check(os.WriteFile(path, []byte(text), 0o644), path)
	}
	fmt.Printf("%d files\n", len(names))
}

func isV2(name string) bool {
	return strings.HasPrefix(name, "envoy/") && (strings.Contains(name, "/v2") || strings.Contains(name, "/v1/"))
}

// What a file needs and is not at hand; a few import what Go has no module of.
func missingOf(name string, files map[string]*descriptorpb.FileDescriptorProto) string {
	if strings.HasPrefix(name, "google/protobuf/") {
		return ""
	}
	file := files[name]
	if file == nil {
		return name
	}
	for _, dependency := range file.Dependency {
		if missing := missingOf(dependency, files); missing != "" {
			return missing
		}
	}
	return ""
}

func register(
	name string, files map[string]*descriptorpb.FileDescriptorProto, registry *protoregistry.Files,
) (protoreflect.FileDescriptor, error) {
	if known, err := registry.FindFileByPath(name); err == nil {
		return known, nil
	}
	if strings.HasPrefix(name, "google/protobuf/") {
		known, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			return nil, err
		}
		return known, registry.RegisterFile(known)
	}
	for _, dependency := range files[name].Dependency {
		if _, err := register(dependency, files, registry); err != nil {
			return nil, err
		}
	}
	file, err := protodesc.NewFile(files[name], registry)
	if err != nil {
		return nil, err
	}
	return file, registry.RegisterFile(file)
}

// Takes away imports of option files and every option but those that say how code or wire look.
func stripOptions(file *descriptorpb.FileDescriptorProto) {
	file.Dependency = slices.DeleteFunc(file.Dependency, func(name string) bool {
		return slices.ContainsFunc(optionFiles, func(start string) bool { return strings.HasPrefix(name, start) })
	})
	file.PublicDependency, file.WeakDependency = nil, nil
	file.Options = nil
	for _, message := range file.MessageType {
		stripMessage(message)
	}
	for _, enum := range file.EnumType {
		stripEnum(enum)
	}
	for _, service := range file.Service {
		service.Options = nil
		for _, method := range service.Method {
			method.Options = nil
		}
	}
}

func stripMessage(message *descriptorpb.DescriptorProto) {
	if options := message.Options; options != nil {
		message.Options = &descriptorpb.MessageOptions{MapEntry: options.MapEntry, Deprecated: options.Deprecated}
		if proto.Size(message.Options) == 0 {
			message.Options = nil
		}
	}
	for _, field := range message.Field {
		if options := field.Options; options != nil {
			field.Options = &descriptorpb.FieldOptions{Packed: options.Packed, Deprecated: options.Deprecated}
			if proto.Size(field.Options) == 0 {
				field.Options = nil
			}
		}
	}
	for _, oneof := range message.OneofDecl {
		oneof.Options = nil
	}
	for _, nested := range message.NestedType {
		stripMessage(nested)
	}
	for _, enum := range message.EnumType {
		stripEnum(enum)
	}
}

func stripEnum(enum *descriptorpb.EnumDescriptorProto) {
	if enum.Options != nil {
		enum.Options = &descriptorpb.EnumOptions{AllowAlias: enum.Options.AllowAlias, Deprecated: enum.Options.Deprecated}
		if proto.Size(enum.Options) == 0 {
			enum.Options = nil
		}
	}
	for _, value := range enum.Value {
		if value.Options != nil {
			value.Options = &descriptorpb.EnumValueOptions{Deprecated: value.Options.Deprecated}
			if proto.Size(value.Options) == 0 {
				value.Options = nil
			}
		}
	}
}

func check(err error, of string) {
	if err != nil {
		log.Fatalf("%s: %v", of, err)
	}
}
