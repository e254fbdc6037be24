package main

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Numbers of fields in descriptor.proto, of which the path to an element is made.
const (
	fileImports, fileMessages, fileEnums, fileServices = 3, 4, 5, 6

	messageFields, messageNested, messageEnums, messageOneofs = 2, 3, 4, 8
	enumValues, serviceMethods                                = 2, 2
)

// Gives each element its place and its comment. The places are made up, for the descriptor has none: nested types
// first, as Envoy writes them, then all in the descriptor's order.
func (d docs) locate(file *descriptorpb.FileDescriptorProto) *descriptorpb.SourceCodeInfo {
	l := &locator{docs: d, info: &descriptorpb.SourceCodeInfo{}}
	for i := range file.Dependency {
		l.add("", fileImports, int32(i))
	}
	for i, one := range file.EnumType {
		l.enum(one.GetName(), one.GetName(), one, fileEnums, int32(i))
	}
	for i, one := range file.MessageType {
		l.message(one.GetName(), one, fileMessages, int32(i))
	}
	for i, one := range file.Service {
		l.add("", fileServices, int32(i))
		for j := range one.Method {
			l.add("", fileServices, int32(i), serviceMethods, int32(j))
		}
	}
	return l.info
}

type locator struct {
	docs docs
	info *descriptorpb.SourceCodeInfo
}

func (l *locator) add(comment string, path ...int32) {
	line := int32(len(l.info.Location))
	location := &descriptorpb.SourceCodeInfo_Location{Path: slices.Clone(path), Span: []int32{line, 0, 1}}
	if text := plain(comment); text != "" {
		location.LeadingComments = proto.String(text)
	}
	l.info.Location = append(l.info.Location, location)
}

func (l *locator) message(goName string, one *descriptorpb.DescriptorProto, path ...int32) {
	l.add(l.docs.messages[goName], path...)
	for i, nested := range one.EnumType {
		l.enum(goName+"_"+nested.GetName(), goName, nested, below(path, messageEnums, i)...)
	}
	for i, nested := range one.NestedType {
		l.message(goName+"_"+nested.GetName(), nested, below(path, messageNested, i)...)
	}
	begun := map[int32]bool{}
	for i, field := range one.Field {
		text, found := l.docs.fields[goName][field.GetName()]
		if field.OneofIndex != nil {
			if !found {
				text = l.docs.inOneof(goName, field.GetName())
			}
			if !begun[*field.OneofIndex] {
				begun[*field.OneofIndex] = true
				l.add("", below(path, messageOneofs, int(*field.OneofIndex))...)
			}
		}
		l.add(text, below(path, messageFields, i)...)
	}
}

// Values are constants in Go, named after the type around the enum, or after the enum where there is none.
func (l *locator) enum(goName, scope string, one *descriptorpb.EnumDescriptorProto, path ...int32) {
	l.add(l.docs.messages[goName], path...)
	for i, value := range one.Value {
		l.add(l.docs.values[scope+"_"+value.GetName()], below(path, enumValues, i)...)
	}
}

func below(path []int32, field int32, index int) []int32 {
	return append(slices.Clone(path), field, int32(index))
}

// In Go each field of a oneof has a type of its own: the message's name, an underscore, the field's in camel case.
func (d docs) inOneof(goName, field string) string {
	for name, fields := range d.fields {
		rest, found := strings.CutPrefix(name, goName+"_")
		if text, has := fields[field]; found && has && strings.EqualFold(strings.ReplaceAll(field, "_", ""), strings.TrimRight(rest, "_")) {
			return text
		}
	}
	return ""
}

// Without what protoc-gen-go and the documentation's generator add.
func plain(text string) string {
	lines := []string{}
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(line, "Deprecated: Marked as deprecated in ") || strings.HasPrefix(line, "[#") {
			continue
		}
		if line != "" {
			line = " " + line
		}
		lines = append(lines, line)
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
