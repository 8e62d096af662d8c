        .section .rodata
        .balign 16
        .global halfwave_builtin_model_begin
        .global halfwave_builtin_model_end
halfwave_builtin_model_begin:
        .incbin "digits_cnn.onnx"
halfwave_builtin_model_end:
        .section .note.GNU-stack,"",%progbits
