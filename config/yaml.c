#include "config/yaml.h"

#include <string.h>

/* stages > entry > value is 3 deep; more than this is a mistake or an attack. */
#define DEPTH_MAX 8

static llmc_status error_at(const char *where, bool lines, yaml_mark_t mark, const char *what, const char *context)
{
    if (!lines)
        return llmc_error(LLMC_ERR_CONFIG, "%.300s: %s%s", where, what, context);
    return llmc_error(LLMC_ERR_CONFIG, "%.300s:%zu:%zu: %s%s", where, mark.line + 1, mark.column + 1, what, context);
}

/* Bytes that are no text at all have an offset instead of a mark. */
static yaml_mark_t mark_of_offset(const char *text, size_t nbytes, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < nbytes; i++) {
        mark.column++;
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static llmc_status parser_error(const yaml_parser_t *parser, const char *where, bool lines, const char *text,
                                size_t nbytes)
{
    const char *problem = parser->problem ? parser->problem : "no YAML";
    char context[128] = "";
    switch (parser->error) {
    case YAML_MEMORY_ERROR:
        return llmc_error(LLMC_ERR_MEMORY, "%.300s: out of memory while reading", where);
    case YAML_READER_ERROR:
        return error_at(where, lines, mark_of_offset(text, nbytes, parser->problem_offset), problem, "");
    default:
        if (parser->context)
            snprintf(context, sizeof context, " (%.100s)", parser->context);
        return error_at(where, lines, parser->problem_mark, problem, context);
    }
}

static void parser_start(yaml_parser_t *parser, const char *text, size_t nbytes)
{
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, nbytes);
}

/* What is wrong with one event, or NULL. */
static const char *refuse_event(const yaml_event_t *event, int *depth, int *documents)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++*documents > 1 ? "a second document starts; allowed is one" : NULL;
    case YAML_ALIAS_EVENT:
        return "aliases (*name) are not supported";
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        ++*depth;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        ++*depth;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        --*depth;
        break;
    default:
        break;
    }
    if (anchor)
        return "anchors (&name) are not supported";
    if (tag)
        return "tags (!name) are not supported";
    return *depth > DEPTH_MAX ? "nested too deeply" : NULL;
}

/* Runs through the events alone, so that nothing is built from text that the tree would choke on. */
static llmc_status check_events(const char *where, bool lines, const char *text, size_t nbytes)
{
    llmc_status status = LLMC_OK;
    yaml_parser_t parser;
    yaml_event_t event;
    int depth = 0;
    int documents = 0;
    if (!yaml_parser_initialize(&parser))
        return llmc_error(LLMC_ERR_MEMORY, "%.300s: out of memory while reading", where);
    parser_start(&parser, text, nbytes);
    for (bool end = false; !end;) {
        if (!yaml_parser_parse(&parser, &event)) {
            status = parser_error(&parser, where, lines, text, nbytes);
            goto exit;
        }
        const char *refused = refuse_event(&event, &depth, &documents);
        if (refused)
            status = error_at(where, lines, event.start_mark, refused, "");
        end = event.type == YAML_STREAM_END_EVENT || refused;
        yaml_event_delete(&event);
    }
exit:
    yaml_parser_delete(&parser);
    return status;
}

llmc_status llmc_yaml_parse(struct llmc_yaml *yaml, const char *where, bool lines, const char *text, size_t nbytes)
{
    yaml_parser_t parser;
    *yaml = (struct llmc_yaml){0};
    llmc_status status = check_events(where, lines, text, nbytes);
    if (status != LLMC_OK)
        return status;
    if (!yaml_parser_initialize(&parser))
        return llmc_error(LLMC_ERR_MEMORY, "%.300s: out of memory while reading", where);
    parser_start(&parser, text, nbytes);
    if (yaml_parser_load(&parser, &yaml->document))
        yaml->loaded = true;
    else
        status = parser_error(&parser, where, lines, text, nbytes);
    yaml_parser_delete(&parser);
    return status;
}

void llmc_yaml_release(struct llmc_yaml *yaml)
{
    if (yaml->loaded)
        yaml_document_delete(&yaml->document);
    yaml->loaded = false;
}

yaml_node_t *llmc_yaml_root(struct llmc_yaml *yaml)
{
    return yaml_document_get_root_node(&yaml->document);
}

yaml_node_t *llmc_yaml_node(struct llmc_yaml *yaml, int index)
{
    return yaml_document_get_node(&yaml->document, index);
}

const char *llmc_yaml_text(const yaml_node_t *node)
{
    if (!node || node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

bool llmc_yaml_is_null(const yaml_node_t *node)
{
    if (!node)
        return true;
    const char *text = llmc_yaml_text(node);
    if (!text || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

int llmc_yaml_line(const yaml_node_t *node)
{
    return node ? (int)node->start_mark.line + 1 : 1;
}
