/* The recordings of the guidance by voice: which files are taken, which stands in for which, and
 * how they are served. */
#include "web_rig.h"

#include "daemon/web/voice.h"

struct shelf {
    char made[40];
    char own[40];
};

static void put(const char *directory, const char *language, const char *file, const char *bytes)
{
    char path[160];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, language);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/%s/%s", directory, language, file);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, strlen(bytes), f), strlen(bytes));
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    static struct shelf shelf;

    (void)snprintf(shelf.made, sizeof(shelf.made), "/tmp/uketsuke-voice-XXXXXX");
    (void)snprintf(shelf.own, sizeof(shelf.own), "/tmp/uketsuke-own-XXXXXX");
    assert_non_null(mkdtemp(shelf.made));
    assert_non_null(mkdtemp(shelf.own));
    *state = &shelf;
    return 0;
}

static int tear_down(void **state)
{
    struct shelf *shelf = *state;
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf '%s' '%s'", shelf->made, shelf->own);
    return system(command);
}

static void own_recordings_stand_in_for_those_of_the_same_name(void **state)
{
    struct shelf *shelf = *state;
    struct voice *voice;
    const struct page *page;

    put(shelf->made, "ja", "pin.title.opus", "made");
    put(shelf->made, "ja", "pin.note.opus", "made too");
    put(shelf->made, "ja-easy", "pin.title.opus", "easy");
    put(shelf->own, "ja", "pin.title.wav", "her voice");
    assert_int_equal(voice_load(&voice, shelf->made, shelf->own), 0);
    assert_int_equal(voice_count(voice), 3);
    page = voice_find(voice, "/voice/ja/pin.title");
    assert_non_null(page);
    assert_string_equal(page->type, "audio/wav");
    assert_int_equal(page->len, 9);
    assert_memory_equal(page->data, "her voice", 9);
    page = voice_find(voice, "/voice/ja/pin.note");
    assert_non_null(page);
    assert_string_equal(page->type, "audio/ogg");
    assert_memory_equal(voice_find(voice, "/voice/ja-easy/pin.title")->data, "easy", 4);
    voice_free(&voice);
    assert_null(voice);
}

static void what_is_no_recording_is_left_out(void **state)
{
    struct shelf *shelf = *state;
    struct voice *voice;
    char path[120], longest[120];

    put(shelf->made, "ja", "notes.txt", "not spoken");
    put(shelf->made, "ja", ".hidden.opus", "not spoken");
    put(shelf->made, "ja", ".from", "a stamp");
    put(shelf->made, "JA", "pin.title.opus", "no language");
    memset(longest, 'n', sizeof(longest));
    (void)snprintf(longest + 70, sizeof(longest) - 70, ".opus");
    put(shelf->made, "ja", longest, "a name that no page has");
    put(shelf->made, "ja", "pin.title.opus", "made");
    (void)snprintf(path, sizeof(path), "%s/readme.opus", shelf->made);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(voice_load(&voice, shelf->made, ""), 0);
    assert_int_equal(voice_count(voice), 1);
    assert_null(voice_find(voice, "/voice/ja/pin.title.opus"));
    assert_null(voice_find(voice, "/voice/../voice/ja/pin.title"));
    assert_null(voice_find(voice, "/voice/"));
    assert_null(voice_find(voice, "/pin.title"));
    voice_free(&voice);
}

static void a_link_out_of_the_directory_is_refused(void **state)
{
    struct shelf *shelf = *state;
    struct voice *voice;
    char path[120];

    put(shelf->made, "ja", "pin.title.opus", "made");
    (void)snprintf(path, sizeof(path), "%s/ja/passwd.opus", shelf->made);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(voice_load(&voice, shelf->made, ""), -ELOOP);
    assert_null(voice);
}

static void without_recordings_nothing_is_found(void **state)
{
    struct shelf *shelf = *state;
    struct voice *voice;

    assert_int_equal(voice_load(&voice, "/nonexistent/voice", "/nonexistent/own"), 0);
    assert_int_equal(voice_count(voice), 0);
    assert_null(voice_find(voice, "/voice/ja/pin.title"));
    assert_null(voice_find(NULL, "/voice/ja/pin.title"));
    voice_free(&voice);
    assert_int_equal(voice_load(&voice, shelf->made, ""), 0);
    assert_int_equal(voice_count(voice), 0);
    voice_free(&voice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_recordings_stand_in_for_those_of_the_same_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_recording_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_out_of_the_directory_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_recordings_nothing_is_found, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
